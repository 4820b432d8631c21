"""Batches that mix two domains: by an exact ratio, or in proportion to their numbers."""

import itertools
import re
from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from synthreal.errors import ConfigError
from synthreal.samplers import ConcatenationSampler, MixingSampler, even_draws, split_batch
from synthreal.spaces import Categorical, Continuous, Product

SPACE = Product([Categorical("class", ["a", "b"]), Continuous("x", 0.0, 3.0, 3)])
COLUMNS = ("bucket", "parameters", "seed")


def fixed(count):
    """A set whose rows are told apart by their seed, which is their number."""
    return {**even_draws(SPACE, count, [9]), "seed": torch.arange(count)}


def epoch(sampler, number=0):
    """All batches of an epoch."""
    sampler.resume(number, 0)
    return list(sampler)


def joined(batches):
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def mixing(synthetic=SPACE, num_real=20, counts=(4, 8), **settings):
    return MixingSampler(synthetic, num_real, counts if isinstance(counts, dict) else {0: counts}, **settings)


def concatenation(size=30, num_real=20, batch_size=10, **settings):
    return ConcatenationSampler(fixed(size), num_real, batch_size, **settings)


SAMPLERS = {
    "fresh": mixing,
    "fixed": lambda **settings: mixing(fixed(30), **settings),
    "shuffled": concatenation,
}


# Counts of a batch


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


# What holds for both samplers


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_draws_are_a_pure_function_of_seed_and_epoch(make):
    first = joined(epoch(make(seed=3), 7))
    torch.manual_seed(0)
    made = make(seed=3)
    epoch(made, 2)  # what was drawn before does not matter
    assert equal(first, joined(epoch(made, 7)))
    for other in (epoch(made, 8), epoch(make(seed=4), 7)):
        for key in ("real", "seed"):
            assert not torch.equal(first[key], joined(other)[key])


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_a_resumed_epoch_is_the_tail_of_the_full_one(make, batch):
    tail = make()
    tail.resume(3, batch)
    expected, got = epoch(make(), 3)[batch:], list(tail)
    assert len(got) == len(expected) == 5 - batch
    assert all(equal(a, b) for a, b in zip(expected, got, strict=True))


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_batches_do_not_carry_the_epoch_with_them(make):
    # a view pickled to a worker would take the whole epoch along
    for batch in make():
        for rows in batch.values():
            assert rows.untyped_storage().nbytes() == rows.nbytes


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_a_number_of_steps_of_none_or_less_is_refused(make):
    with pytest.raises(ConfigError, match="steps_per_epoch is at least 1, not 0"):
        make(steps_per_epoch=0)


# Exact ratio


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


# In proportion


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 6), st.integers(1, 2), st.integers(0, 5))
def test_an_epoch_is_one_pass_over_both_sets(num_real, size, unit, world_size, number):
    assume(num_real + size)
    settings = {"size": size, "num_real": num_real, "batch_size": unit * world_size}
    batches = epoch(concatenation(**settings), number)
    assert all(len(batch["real"]) + len(batch["index"]) == settings["batch_size"] for batch in batches)
    drawn = joined(batches)
    both = torch.cat([drawn["real"], drawn["index"] + num_real])
    visits = np.bincount(both.numpy(), minlength=num_real + size)
    assert len(visits) == num_real + size
    assert visits.max() - 1 <= visits.min() >= 1
    # the last batch alone is filled up
    assert len(both) == len(batches) * settings["batch_size"] < num_real + size + settings["batch_size"]
    rows = fixed(size)
    for key in COLUMNS:
        assert torch.equal(drawn[key], rows[key][drawn["index"]])

    ranks = [epoch(concatenation(**settings, rank=r, world_size=world_size), number) for r in range(world_size)]
    for step, batch in enumerate(batches):
        assert {len(part[step]["real"]) + len(part[step]["index"]) for part in ranks} == {unit}
        for key in ("real", "index"):
            together = sorted(row for part in ranks for row in part[step][key].tolist())
            assert together == sorted(batch[key].tolist())


def test_a_batch_filled_up_has_no_image_a_third_time():
    drawn = joined(epoch(concatenation(size=2, num_real=1, batch_size=8)))
    visits = np.bincount(torch.cat([drawn["real"], drawn["index"] + 1]).numpy())
    assert sorted(visits.tolist()) == [2, 3, 3]  # 8 of 3 images: two passes and two more


def test_batches_hold_both_domains_by_chance():
    made = concatenation(size=30, num_real=20, batch_size=10)
    real = [len(next(iter(epoch(made, number)))["real"]) for number in range(600)]
    # 10 of 50 without replacement, 20 of the 50 real; the rare ends together
    law = stats.hypergeom(50, 20, 10).pmf(np.arange(11))
    expected = 600 * np.array([law[:2].sum(), *law[2:7], law[7:].sum()])
    count = np.bincount(real, minlength=11)
    assert stats.chisquare([count[:2].sum(), *count[2:7], count[7:].sum()], expected).pvalue > 0.001


def test_an_epoch_may_have_a_length_of_its_own():
    drawn = joined(epoch(concatenation(size=4, num_real=2, batch_size=6, steps_per_epoch=5)))
    visits = np.bincount(torch.cat([drawn["real"], drawn["index"] + 2]).numpy())
    assert visits.tolist() == [5] * 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0, "num_real": 0}, "neither real nor synthetic"),
        ({"batch_size": 0}, "batch_size .* 0 does not"),
        ({"batch_size": 9, "world_size": 2}, "9 does not divide by 2"),
    ],
)
def test_sets_that_cannot_be_shuffled_together_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        concatenation(**settings)
