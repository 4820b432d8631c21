"""A classifier that also draws the features of real and synthetic images together: its loss and settings."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from synthreal.errors import ConfigError
from synthreal.modules import Classifier
from synthreal.modules import classifier as classifier_file
from tests.modules.alignment_parts import CORAL, DANN, batch_of, classifier, fit
from tests.modules.classifier_parts import with_trainer


def by_hand(module, batch):
    """Cross-entropy of each sample, and Deep CORAL by NumPy."""
    x = module.network.body(batch["image"].flatten(1)).tanh().detach()
    covariance = [np.cov(x[batch["domain"] == d].double().numpy(), rowvar=False) for d in (0, 1)]
    coral = ((covariance[0] - covariance[1]) ** 2).sum() / (4 * 5**2)
    return F.cross_entropy(module.network.head(x), batch["label"], reduction="none").detach(), coral


def test_the_loss_is_cross_entropy_and_weighted_alignment_of_the_last_layers_input():
    module, batch = classifier(CORAL, alignment_weight=50.0), batch_of()
    logged = with_trainer(module, step=9, every=10)
    out = module.training_step(batch, 0)
    cross_entropy, coral = by_hand(module, batch)
    assert coral > 1e-5
    torch.testing.assert_close(out["sample_loss"], cross_entropy)
    assert not out["sample_loss"].requires_grad
    assert out["loss"].item() == pytest.approx(cross_entropy.mean().item() + 50 * coral, rel=1e-5)
    assert logged.keys() == {"train/loss", "train/alignment"}
    assert logged["train/loss"].item() == out["loss"].item()
    assert logged["train/alignment"].item() == pytest.approx(coral, rel=1e-4)
    assert not logged["train/alignment"].requires_grad


@pytest.mark.parametrize(("step", "logs"), [(8, False), (9, True), (10, False)])
def test_alignment_is_logged_when_the_loss_is(step, logs):
    module = classifier(CORAL)
    logged = with_trainer(module, step, every=10)
    module.training_step(batch_of(), 0)
    assert logged.keys() == ({"train/loss", "train/alignment"} if logs else set())


def test_without_alignment_nothing_is_done_for_it(monkeypatch):
    monkeypatch.setattr(classifier_file, "with_features", None)
    module = classifier()
    fit(module, max_steps=3)
    assert not any(part._forward_pre_hooks for part in module.modules())
    assert {name.split(".")[0] for name in module.state_dict()} == {"network"}
    assert fit(module, max_steps=1, log_every_n_steps=1).logged_metrics.keys() == {"train/loss"}


def test_a_weight_of_zero_trains_like_no_alignment():
    plain, aligned = (
        classifier(optimizer_args={"lr": 0.1}),
        classifier(CORAL, alignment_weight=0.0, optimizer_args={"lr": 0.1}),
    )
    for module in (plain, aligned):
        fit(module, max_steps=5)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), aligned.parameters(), strict=True))


@pytest.mark.parametrize("alignment", [CORAL, DANN])
@pytest.mark.parametrize("shares", [{"real": 0}, {"synthetic": 0}])
def test_batches_of_one_domain_train_like_no_alignment(alignment, shares):
    batches = [batch_of(seed, **shares) for seed in range(5)]
    plain, aligned = classifier(optimizer_args={"lr": 0.1}), classifier(alignment, optimizer_args={"lr": 0.1})
    for module in (plain, aligned):
        fit(module, batches, max_steps=5)
    for a, b in zip(plain.network.parameters(), aligned.network.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alignment": CORAL, "alignment_weight": -0.1}, "alignment_weight is at least 0, not -0.1"),
        ({"alignment": CORAL, "alignment_weight": math.nan}, "alignment_weight is at least 0, not nan"),
        ({"alignment": "synthreal.losses.DeepCorall"}, "DeepCorall"),
        ({"alignment": "torch.optim.SGD"}, "not a subclass of torch"),
        ({"alignment": DANN, "alignment_args": {"depth": 3}}, "depth.*It takes: width"),
        ({"alignment": CORAL, "alignment_args": {"width": 3}}, "width"),
        ({"alignment": CORAL, "network": "squeezenet1_0"}, "SqueezeNet has no linear layer"),
    ],
)
def test_a_mistake_fails_before_any_data_is_read(settings, message):
    with pytest.raises(ConfigError, match=message):
        Classifier(**settings)
