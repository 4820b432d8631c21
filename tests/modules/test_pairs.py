"""Which image each judge sees, what it is told of it, and what the generators are to lower."""

import numpy as np
import pytest
import torch
from torch import nn

from synthreal.batch import Domain
from synthreal.errors import ConfigError
from synthreal.modules.pairs import Judges, Pair, check_pairs, pair_of, translate, translation_losses
from synthreal.networks.refiner import Stage
from tests.datamodules.mixed_parts import Plus

REAL, SYNTHETIC = int(Domain.REAL), int(Domain.SYNTHETIC)


class MeanScore(nn.Module):
    """A discriminator whose only patch scores the mean of the image, times a factor; remembers what it saw."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor, self.seen = factor, []

    def forward(self, image):
        self.seen.append(image)
        return self.factor * image.mean((1, 2, 3), keepdim=True)


def batch(domain, label, channels=1):
    return {
        "image": torch.arange(len(label)).float().view(-1, 1, 1, 1).expand(-1, channels, 4, 4) / 10,
        "label": torch.tensor(label),
        "domain": torch.tensor(domain),
    }


def images(*values):
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone()


def mean_judges(pool=0, factors=(1.0, 1.0)):
    judges = Judges("C4", 1, "batch", pool)
    judges.real, judges.synthetic = MeanScore(factors[0]), MeanScore(factors[1])
    return judges


def adding_stage(to_real, to_synthetic):
    stage = Stage("c7s1-4,c7s1-1", 1, "batch")
    stage.to_real, stage.to_synthetic = Plus(to_real), Plus(to_synthetic)
    return stage


def test_the_first_half_is_real():
    pair = pair_of(batch([REAL] * 2 + [SYNTHETIC] * 2, [3, 1, 3, 1]))
    assert pair.real[:, 0, 0, 0].tolist() == pytest.approx([0, 0.1])
    assert pair.synthetic[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.3])


def test_pairs_of_a_class_pass():
    check_pairs(batch([REAL] * 3 + [SYNTHETIC] * 3, [3, 1, 1, 3, 1, 1]))


@pytest.mark.parametrize(
    ("domain", "label"),
    [
        ([SYNTHETIC, SYNTHETIC, REAL, REAL], [0, 1, 0, 1]),
        ([REAL, SYNTHETIC, REAL, SYNTHETIC], [0, 1, 0, 1]),
        ([REAL, REAL, SYNTHETIC, SYNTHETIC], [0, 1, 1, 0]),
        ([REAL, REAL, SYNTHETIC, SYNTHETIC], [0, 0, 0, 1]),
        ([REAL, REAL, SYNTHETIC], [0, 0, 0]),
        ([REAL, SYNTHETIC, SYNTHETIC], [0, 0, 0]),
        ([REAL, REAL], [0, 0]),
        ([SYNTHETIC, SYNTHETIC], [0, 0]),
        ([REAL, REAL, REAL, SYNTHETIC], [0, 1, 0, 1]),
    ],
)
def test_other_batches_are_refused(domain, label):
    with pytest.raises(ConfigError, match="give it an UnpairedDataModule"):
        check_pairs(batch(domain, label))


def test_each_domain_is_made_of_the_other():
    made = translate(adding_stage(0.1, 0.2), Pair(real=images(0.3), synthetic=images(0.6)))
    torch.testing.assert_close(made.real, images(0.7))
    torch.testing.assert_close(made.synthetic, images(0.5))


def test_losses_of_the_generators_by_hand():
    sides = Pair(real=images(0.25, 0.5), synthetic=images(0.5, 0.75))
    stage, judges = adding_stage(0.25, -0.5), mean_judges(factors=(1.0, 2.0))
    losses = translation_losses(stage, judges, sides, translate(stage, sides))
    # as real: 0.75, 1 scored so; as synthetic: -0.25, 0 scored -0.5, 0; wanted is 1
    assert float(losses["generator"]) == pytest.approx((0.25**2 + 0) / 2 + (1.5**2 + 1) / 2)
    # there and back every pixel is off by 0.25, in both domains
    assert float(losses["cycle"]) == pytest.approx(0.5)


def test_generators_get_their_gradient_through_the_judges():
    stage, judges = Stage("c7s1-4,c7s1-1", 1, "batch"), Judges("C4", 1, "batch", 0)
    sides = Pair(torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8))
    losses = translation_losses(stage, judges, sides, translate(stage, sides))
    for name in ("generator", "cycle"):
        stage.zero_grad()
        losses[name].backward(retain_graph=True)
        for generator in (stage.to_real, stage.to_synthetic):
            assert any(weight.grad.abs().max() > 0 for weight in generator.parameters())


def test_each_judge_sees_its_own_domain_and_what_was_made_of_it():
    judges = mean_judges()
    sides, made = Pair(images(0.1), images(0.2)), Pair(images(0.3), images(0.4))
    judges.loss(sides, made, 0.1)
    assert [float(image.mean()) for image in judges.real.seen] == pytest.approx([0.1, 0.3])
    assert [float(image.mean()) for image in judges.synthetic.seen] == pytest.approx([0.2, 0.4])


def squared(score, low, high):
    """The mean of (score - label)² for a label spread evenly from low to high."""
    return (score - (low + high) / 2) ** 2 + (high - low) ** 2 / 12


@pytest.mark.parametrize("flip", [0.0, 0.1, 1.0])
def test_the_loss_is_half_the_squared_distance_to_soft_labels_of_both_domains(flip):
    torch.manual_seed(0)
    count = 40_000
    sides = Pair(*(image.expand(count, -1, -1, -1) for image in (images(0.9), images(0.6))))
    made = Pair(*(image.expand(count, -1, -1, -1) for image in (images(0.2), images(0.5))))
    expected = 0
    for score, own in ((0.9, True), (0.2, False), (0.6, True), (0.5, False)):
        high, low = squared(score, 0.7, 1.2), squared(score, 0, 0.3)
        right, wrong = (high, low) if own else (low, high)
        expected += ((1 - flip) * right + flip * wrong) / 2
    # standard error below 0.003
    assert float(mean_judges().loss(sides, made, flip)) == pytest.approx(expected, abs=0.012)


def test_no_gradient_flows_back_to_the_generators_and_all_judges_get_one():
    judges = Judges("C4,C8", 1, "batch", 2)
    sides = Pair(torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8))
    made = Pair(*(torch.rand(3, 1, 8, 8, requires_grad=True) for _ in range(2)))
    judges.loss(sides, made, 0.0).backward()
    assert made.real.grad is None
    assert made.synthetic.grad is None
    assert all(weight.grad is not None for weight in judges.parameters())


def test_each_judge_has_a_pool_of_what_was_made_for_it():
    torch.manual_seed(1)
    judges = mean_judges(pool=4)
    for i in range(20):
        made = Pair(images(i / 100, i / 100), images(-i / 100, -i / 100))
        judges.loss(made, made, 0.1)
    for judge, pool, sign in ((judges.real, judges.real_pool, 1), (judges.synthetic, judges.synthetic_pool, -1)):
        shown = np.array([image[:, 0, 0, 0].numpy() for image in judge.seen[1::2]])
        newest = sign * np.arange(20)[:, None] / 100
        np.testing.assert_allclose(shown[:2], newest[:2] + np.zeros(2), atol=1e-7, err_msg="the pool fills first")
        old = (shown[2:] * sign < newest[2:] * sign - 1e-6).mean()
        assert 0.2 < old < 0.8, "about half of what it sees is older"
        assert (shown * sign <= newest * sign + 1e-6).all()
        assert (pool.images * sign >= 0).all()


def test_only_the_pools_are_no_weights():
    judges = Judges("C4,C8", 1, "instance", 3)
    names = {name.split(".")[0] for name in judges.state_dict()}
    assert names == {"real", "synthetic", "real_pool", "synthetic_pool"}
    assert {name.split(".")[0] for name, _ in judges.named_parameters()} == {"real", "synthetic"}
