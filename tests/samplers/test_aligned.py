"""Real and synthetic images of the same class, row by row, drawn from the prior within the class."""

from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthreal.errors import ConfigError
from synthreal.samplers import AlignedSampler, class_draws, even_draws
from synthreal.spaces import Categorical, Continuous, ParameterSpace, Product, Union
from tests.samplers.sampler_parts import epoch, equal, joined, own_their_memory, redrawn, resumed

CLASSES = ("ant", "bee", "cow")
# 5 buckets a class, of a tenth, a tenth, a tenth, nothing and 0.7 of it
UNEQUAL = Product(
    [
        Categorical("class", CLASSES),
        Union("how", [Continuous("x", 0, 1, 3), Continuous("y", 0, 1), Continuous("z", 0, 9)], [3, 0, 7]),
    ]
)
SHARES = np.array([0.1, 0.1, 0.1, 0.0, 0.7])


class Lopsided(ParameterSpace):
    """Buckets of any volumes; u is how far through its bucket a sample is."""

    columns = ("x",)

    def __init__(self, volumes):
        self._volumes = torch.tensor(volumes, dtype=torch.float64)
        self.num_buckets = len(volumes)

    def volumes(self):
        return self._volumes / self._volumes.sum()

    def place(self, bucket, uniform):
        return uniform

    def assign(self, parameters):
        raise AssertionError("a sampler only draws")

    embed = describe = assign


def make(labels=(0, 1, 2, 0, 0, 2, 1, 0, 2, 1, 1, 0), pairs=4, space=UNEQUAL, **settings):
    return AlignedSampler(space, len(CLASSES), torch.tensor(labels, dtype=torch.int64), pairs, **settings)


# One draw for each class asked for


@given(
    volumes=st.integers(1, 6).flatmap(
        lambda each: st.lists(
            st.lists(st.sampled_from([0.0, 1e-12, 0.3, 1.0, 50.0]), min_size=each, max_size=each).filter(any),
            min_size=1,
            max_size=7,
        )
    ),
    data=st.data(),
)
def test_every_draw_is_of_its_class_and_of_a_bucket_that_holds_something(volumes, data):
    label = data.draw(st.lists(st.integers(0, len(volumes) - 1), max_size=40))
    space = Lopsided([volume for own in volumes for volume in own])
    draws = class_draws(space, len(volumes), torch.tensor(label, dtype=torch.int64), [data.draw(st.integers(0, 9))])
    assert (draws["bucket"] // len(volumes[0])).tolist() == label
    assert (space.volumes()[draws["bucket"]] > 0).all()
    assert draws["parameters"].shape == (len(label), 1)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_draws_of_a_class_follow_the_prior_within_it(label):
    draws = class_draws(UNEQUAL, 3, torch.full((20_000,), label), [1])
    count = np.bincount(draws["bucket"].numpy() - 5 * label, minlength=5)
    assert count[3] == 0
    held = SHARES > 0
    assert stats.chisquare(count[held], 20_000 * SHARES[held]).pvalue > 1e-4
    # and uniformly inside a bucket
    assert torch.equal(UNEQUAL.assign(draws["parameters"]), draws["bucket"])
    z = draws["parameters"][draws["bucket"] == 5 * label + 4, 2] / 9
    assert stats.kstest(z.numpy(), "uniform").pvalue > 1e-4


def test_classes_of_unequal_volume_do_not_change_the_law_within_them():
    space = Lopsided([1e-9, 3e-9, 5.0, 5.0, 1e6, 9e6])
    draws = class_draws(space, 3, torch.arange(3).repeat(10_000), [4])
    count = np.bincount(draws["bucket"].numpy(), minlength=6).reshape(3, 2)
    assert count.sum(1).tolist() == [10_000] * 3
    for first, share in zip(count[:, 0], (0.25, 0.5, 0.1), strict=True):
        assert abs(first - 10_000 * share) < 4 * np.sqrt(10_000 * share * (1 - share))


def test_a_million_buckets_of_unequal_volume():
    volumes = np.random.default_rng(0).exponential(size=1_000_000) ** 2
    label = torch.from_numpy(np.random.default_rng(1).integers(0, 1000, 100_000))
    draws = class_draws(Lopsided(volumes.tolist()), 1000, label, [2])
    assert torch.equal(draws["bucket"] // 1000, label)
    # Of each class, the share of draws in the first half of its buckets is that half's share of the volume.
    first = volumes.reshape(1000, 2, 500).sum(2)
    share = (first[:, 0] / first.sum(1))[label.numpy()]
    seen = (draws["bucket"] % 1000 < 500).double().sum()
    assert abs(seen - share.sum()) < 4 * np.sqrt((share * (1 - share)).sum())


class Always(np.random.Generator):
    """The same number whenever one is asked for."""

    def __init__(self, number):
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self, size, dtype=np.float64):
        return np.full(size, self.number, dtype)


@pytest.mark.parametrize(("number", "bucket"), [(0.0, 1), (np.nextafter(1.0, 0.0), 2)])
def test_the_ends_of_the_random_numbers_stay_in_their_class(monkeypatch, number, bucket):
    monkeypatch.setattr(np.random, "default_rng", lambda _: Always(number))
    label = torch.arange(1000)
    # the first and the last of the 4 buckets of each class are empty
    draws = class_draws(Lopsided([0.0, 1.0, 1.0, 0.0] * 1000), 1000, label, [0])
    assert torch.equal(draws["bucket"], 4 * label + bucket)


@pytest.mark.parametrize("other", [[2], [1, 1], [0, 1]])
def test_draws_are_those_of_the_seed(other):
    label = torch.arange(3).repeat(20)
    first = class_draws(UNEQUAL, 3, label, [1])
    torch.manual_seed(7)
    assert equal(first, class_draws(UNEQUAL, 3, label, [1]))
    assert not torch.equal(first["seed"], class_draws(UNEQUAL, 3, label, other)["seed"])
    assert len(first["seed"].unique()) == 60
    assert not torch.isin(first["seed"], even_draws(UNEQUAL, 60, [1])["seed"]).any()


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Lopsided([1.0] * 7), "7 buckets do not divide among 3 classes"),
        (Lopsided([1.0, 2.0, 0.0, 0.0, 3.0, 0.0]), r"classes \[1\] hold no share"),
    ],
)
def test_a_space_without_the_classes_is_refused_before_the_first_epoch(space, message):
    with pytest.raises(ConfigError, match=message):
        make(space=space)


# Batches


@st.composite
def runs(draw):
    """Any real images, on up to three ranks."""
    world_size = draw(st.integers(1, 3))
    labels = draw(st.lists(st.integers(0, 2), min_size=1, max_size=30))
    steps = draw(st.one_of(st.none(), st.integers(1, 6)))
    return labels, world_size * draw(st.integers(1, 4)), steps, world_size, draw(st.integers(0, 5))


@given(runs())
def test_every_row_of_every_rank_has_one_class_and_the_ranks_together_are_one(run):
    labels, pairs, steps, world_size, number = run
    settings = {"labels": labels, "pairs": pairs, "steps_per_epoch": steps, "seed": 2}
    whole = epoch(make(**settings), number)
    ranks = [epoch(make(**settings, rank=rank, world_size=world_size), number) for rank in range(world_size)]
    assert {len(part) for part in ranks} == {len(whole)} == {steps or ceil(len(labels) / pairs)}
    for step, batch in enumerate(whole):
        assert {len(rows) for rows in batch.values()} == {pairs}
        for part in [batch, *(part[step] for part in ranks)]:
            label = torch.tensor(labels)[part["real"]]
            assert torch.equal(part["bucket"] // 5, label)
            assert torch.equal(part["parameters"][:, 0].long(), label)
        for key, rows in batch.items():
            # rank r has every world_size-th row from r on
            assert torch.equal(torch.stack([part[step][key] for part in ranks], 1).flatten(0, 1), rows)


@given(runs())
def test_every_real_image_is_visited_once_and_some_again_at_the_end(run):
    labels, pairs, steps, _, number = run
    real = joined(epoch(make(labels, pairs, steps_per_epoch=steps), number))["real"]
    visits = np.bincount(real.numpy(), minlength=len(labels))
    assert len(visits) == len(labels)
    assert visits.max() - visits.min() <= 1
    assert steps or visits.min() >= 1


def test_ten_epochs_visit_every_real_image_equally_often_in_ten_orders():
    made = make()  # 12 images, 4 in a batch
    orders = [joined(epoch(made, number))["real"].tolist() for number in range(10)]
    assert np.bincount(np.concatenate(orders)).tolist() == [10] * 12
    assert len({tuple(order) for order in orders}) == 10


def test_synthetic_images_are_new_in_every_batch_and_epoch():
    made = make()
    seeds = torch.cat([joined(epoch(made, number))["seed"] for number in range(4)])
    assert len(seeds.unique()) == 4 * 12


def test_the_synthetic_images_of_an_epoch_follow_the_prior():
    made = make(pairs=200, steps_per_epoch=100)
    bucket = joined(epoch(made))["bucket"].numpy()
    # 5, 4 and 3 of the 12 real images are of each class
    expected = np.concatenate([count / 12 * SHARES for count in (5, 4, 3)]) * len(bucket)
    held = expected > 0
    assert stats.chisquare(np.bincount(bucket, minlength=15)[held], expected[held]).pvalue > 1e-4


def test_draws_are_a_pure_function_of_seed_and_epoch():
    first, again, others = redrawn(make)
    assert equal(first, again)
    for other in others:
        for key in ("real", "seed"):
            assert not torch.equal(first[key], other[key])


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_a_resumed_epoch_is_the_tail_of_the_full_one(batch):
    expected, got = resumed(make, batch)
    assert len(got) == len(expected) == 3 - batch
    assert all(equal(a, b) for a, b in zip(expected, got, strict=True))


def test_batches_do_not_carry_the_epoch_with_them():
    assert own_their_memory(make())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": []}, "no real training images"),
        ({"pairs": 0}, "0 real and 0 synthetic"),
        ({"pairs": 3, "world_size": 2}, "3 real ones do not divide by 2"),
        ({"steps_per_epoch": 0}, "at least 1, not 0"),
        ({"labels": [0, 3]}, "0 to 2, not 0 to 3"),
        ({"labels": [0, -1]}, "0 to 2, not -1 to 0"),
    ],
)
def test_pairs_that_cannot_be_drawn_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(**settings)
