"""Batches that mix two domains by an exact ratio: how it divides a batch, passes, curricula, ranks."""

import itertools
import re
from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.samplers import split_batch
from tests.samplers.mixing_parts import COLUMNS, fixed, mixing
from tests.samplers.sampler_parts import SPACE, epoch, joined


@pytest.mark.parametrize(
    ("size", "ratio", "counts"),
    [
        (128, (1, 15), (8, 120)),  # the mixing-ratio paper's
        (128, (1, 7), (16, 112)),
        (128, (1, 1), (64, 64)),
        (10, (1, 0), (10, 0)),
        (10, (0, 3), (0, 10)),
        (6, (2, 2), (3, 3)),
        (35, (4, 10), (10, 25)),
    ],
)
def test_a_batch_is_divided_as_the_ratio_says(size, ratio, counts):
    assert split_batch(size, ratio) == counts


def exact(size, real, synthetic):
    """Every division of a batch that keeps the ratio, by trial."""
    return [(r, size - r) for r in range(size + 1) if r * synthetic == (size - r) * real]


@given(st.integers(1, 200), st.integers(0, 20), st.integers(0, 20))
def test_a_batch_is_divided_exactly_or_sizes_that_can_be_are_advised(size, real, synthetic):
    assume(real + synthetic)
    if possible := exact(size, real, synthetic):
        assert [split_batch(size, (real, synthetic))] == possible
        return
    with pytest.raises(ConfigError, match=f"{size} cannot be divided {real}:{synthetic} exactly") as error:
        split_batch(size, (real, synthetic))
    advice = str(error.value).rpartition("set batch_size to ")[2]
    advised = [int(number) for number in re.findall(r"\d+", advice)]
    for number in advised:
        assert split_batch(number, (real, synthetic)) in exact(number, real, synthetic)
    # the nearest ones, on either side
    between = range(1 if len(advised) == 1 else advised[0] + 1, advised[-1])
    assert size in between
    assert not any(exact(number, real, synthetic) for number in between)


def test_a_batch_too_small_for_the_ratio_advises_a_smaller_ratio_too():
    with pytest.raises(
        ConfigError, match=r"8 cannot be divided 1:15 exactly: set batch_size to 16, or a ratio with sm"
    ):
        split_batch(8, (1, 15))


@pytest.mark.parametrize("size", [0, -4])
def test_a_batch_of_nothing_is_refused(size):
    with pytest.raises(ConfigError, match=f"A batch of {size}"):
        split_batch(size, (1, 1))


@pytest.mark.parametrize("ratio", [(0, 0), (-1, 2), (1, -1)])
def test_what_is_no_ratio_is_refused(ratio):
    with pytest.raises(ConfigError, match=rf"not \[{ratio[0]}, {ratio[1]}\]"):
        split_batch(8, ratio)


@st.composite
def mixtures(draw):
    """Any ratio and any numbers on one rank or two: size of the fixed set or None, and the rest of the settings."""
    world_size = draw(st.integers(1, 2))
    ratio = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(any))
    unit = world_size * draw(st.integers(1, 3))
    num_real = draw(st.integers(1, 40))
    size = draw(st.one_of(st.none(), st.integers(1, 40)))
    natural = ratio[0] > 0 or size is not None
    steps = draw(st.one_of(st.none(), st.integers(1, 6)) if natural else st.integers(1, 6))
    counts = (ratio[0] * unit, ratio[1] * unit)
    return size, num_real, counts, steps, world_size, draw(st.integers(0, 5))


@given(mixtures())
def test_every_batch_of_every_rank_has_its_exact_counts_and_together_they_are_one(mixture):
    size, num_real, counts, steps, world_size, number = mixture
    synthetic = SPACE if size is None else fixed(size)
    settings = {"counts": counts, "steps_per_epoch": steps, "seed": 2}
    whole = epoch(mixing(synthetic, num_real, **settings), number)
    ranks = [
        epoch(mixing(synthetic, num_real, **settings, rank=rank, world_size=world_size), number)
        for rank in range(world_size)
    ]
    assert {len(part) for part in ranks} == {len(whole)}
    for step, batch in enumerate(whole):
        assert (len(batch["real"]), len(batch["bucket"])) == counts
        for part in ranks:
            assert (len(part[step]["real"]) * world_size, len(part[step]["seed"]) * world_size) == counts
        for key, rows in batch.items():
            # rank r has every world_size-th row from r on
            assert torch.equal(torch.stack([part[step][key] for part in ranks], 1).flatten(0, 1), rows)


@given(mixtures())
def test_every_real_image_is_visited_once_and_some_a_second_time_at_the_end(mixture):
    size, num_real, counts, steps, _, number = mixture
    assume(counts[0])
    synthetic = SPACE if size is None else fixed(size)
    batches = epoch(mixing(synthetic, num_real, counts, steps_per_epoch=steps), number)
    visits = np.bincount(joined(batches)["real"].numpy(), minlength=num_real)
    assert len(visits) == num_real
    assert visits.max() - visits.min() <= 1
    if steps is None:
        assert len(batches) == ceil(num_real / counts[0])
        assert visits.min() >= 1


def test_the_last_batch_is_filled_up():
    real = joined(epoch(mixing(num_real=10, counts=(4, 4))))["real"].tolist()
    assert len(real) == 12
    assert sorted(real[:10]) == list(range(10))


@given(
    st.integers(1, 25),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=6),
)
def test_a_fixed_set_is_walked_pass_by_pass_whatever_the_curriculum(size, steps, stages):
    assume(all(sum(stage) for stage in stages))
    rows = fixed(size)
    # one more epoch than stages: the last stage goes on
    made = mixing(rows, 20, dict(enumerate(stages)), steps_per_epoch=steps)
    drawn = joined([batch for number in range(len(stages) + 1) for batch in epoch(made, number)])
    order = drawn["index"].tolist()
    assert len(order) == steps * (sum(stage[1] for stage in stages) + stages[-1][1])
    for start in range(0, len(order), size):
        one = order[start : start + size]
        assert len(set(one)) == len(one)
    for key in COLUMNS:
        assert torch.equal(drawn[key], rows[key][order])


def test_each_pass_over_a_fixed_set_has_an_order_of_its_own():
    order = joined(epoch(mixing(fixed(20), counts=(0, 10), steps_per_epoch=6)))["index"].view(3, 20)
    assert len({tuple(one) for one in order.tolist()}) == 3
    assert [sorted(one) for one in order.tolist()] == [list(range(20))] * 3


def test_an_epoch_of_synthetic_images_alone_is_one_pass_over_the_fixed_set():
    made = mixing(fixed(21), num_real=0, counts=(0, 8))
    assert len(made) == 3
    assert set(joined(epoch(made))["index"].tolist()) == set(range(21))


def test_fresh_draws_are_new_in_every_epoch_and_lie_in_their_buckets():
    made = mixing(counts=(4, 30), num_real=20)
    epochs = [joined(epoch(made, number)) for number in range(4)]
    for draws in epochs:
        assert torch.equal(SPACE.assign(draws["parameters"]), draws["bucket"])
        assert "index" not in draws
    for a, b in itertools.combinations(epochs, 2):
        assert set(a["seed"].tolist()).isdisjoint(b["seed"].tolist())


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 20))
def test_fresh_draws_are_balanced_over_the_classes_in_every_epoch(synthetic, steps, number):
    draws = joined(epoch(mixing(counts=(0, synthetic), steps_per_epoch=steps), number))
    first, second = torch.bincount(draws["parameters"][:, 0].long(), minlength=2).tolist()
    assert abs(first - second) <= 1
    assert first + second == synthetic * steps


def test_synthetic_images_leave_the_real_ones_unchanged():
    alone = joined(epoch(mixing(counts=(4, 0)), 3))
    for other in (mixing(counts=(4, 12)), mixing(fixed(7), counts=(4, 8))):
        assert torch.equal(alone["real"], joined(epoch(other, 3))["real"])


@pytest.mark.parametrize("synthetic", [SPACE, fixed(9)], ids=["fresh", "fixed"])
@pytest.mark.parametrize("rank", [0, 1])
def test_real_images_alone(synthetic, rank):
    for batch in mixing(synthetic, counts=(10, 0), rank=rank, world_size=2):
        assert len(batch["real"]) == 5
        assert len(batch["bucket"]) == len(batch["seed"]) == 0
        assert batch["parameters"].shape == (0, 2)


def test_a_curriculum_changes_the_counts_at_its_epochs():
    made = mixing(num_real=20, counts={5: (8, 0), 0: (0, 8), 2: (4, 4)}, steps_per_epoch=3)
    seen = [{(len(b["real"]), len(b["bucket"])) for b in epoch(made, number)} for number in range(7)]
    assert seen == [{(0, 8)}] * 2 + [{(4, 4)}] * 3 + [{(8, 0)}] * 2
    assert [made.counts_of(number) for number in (0, 1, 2, 4, 5, 99)] == [(0, 8)] * 2 + [(4, 4)] * 2 + [(8, 0)] * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"counts": (-4, 8)}, "-4 real"),
        ({"counts": (0, 0)}, "0 real and 0 synthetic"),
        ({"num_real": 0}, "no real training images"),
        ({"counts": (3, 8), "world_size": 2}, "3 real ones do not divide by 2"),
        ({"counts": {0: (4, 8), 2: (4, 7)}, "world_size": 2, "steps_per_epoch": 1}, "7 synthetic ones do not divide"),
        ({"counts": {0: (0, 8), 2: (4, 4)}, "num_real": 0, "steps_per_epoch": 1}, "no real training images"),
        ({"counts": {0: (0, 8), 2: (4, 4)}}, "set steps_per_epoch"),
        ({"counts": (0, 8)}, "set steps_per_epoch"),
        ({"counts": {1: (4, 4)}}, "begin at epoch 0"),
        ({"counts": {-1: (4, 4), 0: (4, 4)}}, "begin at epoch 0"),
        ({"synthetic": fixed(0)}, "the fixed set of them is empty"),
    ],
)
def test_mixtures_that_cannot_be_drawn_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        mixing(**settings)


def test_an_empty_fixed_set_is_enough_for_real_images_alone():
    assert len(joined(epoch(mixing(fixed(0), counts=(4, 0))))["real"]) == 20
