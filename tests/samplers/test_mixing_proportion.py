"""Batches that mix two domains in proportion to their numbers, and what holds for both ways of mixing."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from synthreal.errors import ConfigError
from tests.samplers.mixing_parts import COLUMNS, concatenation, fixed, mixing
from tests.samplers.sampler_parts import epoch, equal, joined, own_their_memory, redrawn, resumed

SAMPLERS = {
    "fresh": mixing,
    "fixed": lambda **settings: mixing(fixed(30), **settings),
    "shuffled": concatenation,
}


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_draws_are_a_pure_function_of_seed_and_epoch(make):
    first, again, others = redrawn(make)
    assert equal(first, again)
    for other in others:
        for key in ("real", "seed"):
            assert not torch.equal(first[key], other[key])


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_a_resumed_epoch_is_the_tail_of_the_full_one(make, batch):
    expected, got = resumed(make, batch)
    assert len(got) == len(expected) == 5 - batch
    assert all(equal(a, b) for a, b in zip(expected, got, strict=True))


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_batches_do_not_carry_the_epoch_with_them(make):
    assert own_their_memory(make())


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_a_number_of_steps_of_none_or_less_is_refused(make):
    with pytest.raises(ConfigError, match="steps_per_epoch is at least 1, not 0"):
        make(steps_per_epoch=0)


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
