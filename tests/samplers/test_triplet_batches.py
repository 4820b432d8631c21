"""Batches of triplet sets: whole sets on every rank, passes over the references, resumed epochs."""

from math import ceil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.samplers import TripletSampler, TripletTable
from tests.samplers.sampler_parts import epoch, equal, joined, own_their_memory, redrawn, resumed
from tests.samplers.triplet_parts import lit, unequal


def fixed(label, view):
    """Draws that tell which sample they are."""
    number = torch.arange(len(label))
    return {"bucket": label, "parameters": torch.cat([view, number[:, None]], 1), "seed": 100 + number}


def make(sets=6, data=None, **settings):
    label, view, light = lit() if data is None else data
    return TripletSampler(fixed(label, view), TripletTable(label, view, light, 3), sets, **settings)


def test_batches_are_sets_one_after_the_other():
    label, view, _ = unequal()
    batches = epoch(make(7, unequal()))
    assert len(batches) == ceil(59 / 7)
    for batch in batches:
        assert batch["role"].tolist() == [0, 1, 2, 3, 4] * 7
        assert torch.equal(batch["bucket"], label[batch["index"]])
        assert torch.equal(batch["parameters"], torch.cat([view[batch["index"]], batch["index"][:, None]], 1))
        assert torch.equal(batch["seed"], 100 + batch["index"])
        own, positive, far, *others = batch["bucket"].view(7, 5).T
        assert torch.equal(own, positive)
        assert torch.equal(own, far)
        assert not any((own == other).any() for other in others)


def test_every_sample_is_a_reference_once_and_some_again_at_the_end():
    made = make(7, unequal())
    orders = []
    for number in range(3):
        order = joined(epoch(made, number))["index"][::5].tolist()
        assert sorted(order[:59]) == list(range(59))
        assert len(order) == 63
        orders.append(tuple(order))
    assert len(set(orders)) == 3
    assert len(epoch(make(7, unequal(), steps_per_epoch=2))) == 2


@given(st.integers(1, 3), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 4)), st.integers(0, 3))
def test_the_ranks_together_are_one_and_each_has_whole_sets(world_size, sets, steps, number):
    settings = {"sets": world_size * sets, "steps_per_epoch": steps, "seed": 2}
    whole = epoch(make(**settings), number)
    ranks = [epoch(make(**settings, rank=rank, world_size=world_size), number) for rank in range(world_size)]
    assert {len(part) for part in ranks} == {len(whole)} == {steps or ceil(48 / (world_size * sets))}
    for step, batch in enumerate(whole):
        for key, rows in batch.items():
            parts = [part[step][key].unflatten(0, (sets, 5)) for part in ranks]
            # rank r has every world_size-th set from r on
            assert torch.equal(torch.stack(parts, 1).flatten(0, 2), rows)


def test_draws_are_a_pure_function_of_seed_and_epoch():
    first, again, others = redrawn(make)
    assert equal(first, again)
    for other in others:
        # other sets, and not only their order
        assert {*map(tuple, first["index"].view(-1, 5).tolist())} != {*map(tuple, other["index"].view(-1, 5).tolist())}


@pytest.mark.parametrize("batch", [0, 3, 7])
def test_a_resumed_epoch_is_the_tail_of_the_full_one(batch):
    expected, got = resumed(make, batch)
    assert len(got) == len(expected) == 8 - batch
    assert all(equal(a, b) for a, b in zip(expected, got, strict=True))


def test_batches_do_not_carry_the_epoch_with_them():
    assert own_their_memory(make())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sets": 0}, "at least one for each: 0 do not divide by 1"),
        ({"sets": 1, "world_size": 2}, "1 do not divide by 2"),
        ({"sets": 5, "world_size": 2}, "5 do not divide by 2"),
        ({"steps_per_epoch": 0}, "at least 1, not 0"),
    ],
)
def test_sets_that_cannot_be_drawn_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(**settings)


def test_a_table_of_other_samples_is_refused():
    label, view, light = lit()
    with pytest.raises(ConfigError, match="47 draws, but the table is of 48"):
        TripletSampler(fixed(label[1:], view[1:]), TripletTable(label, view, light, 2), 4)
