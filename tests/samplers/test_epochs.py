"""Epochs that can be entered at any batch, and passes over a set."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.samplers.epochs import EpochSampler, check_counts, passes


class Told(EpochSampler):
    """A batch tells its epoch, its step and what was known when the epoch was drawn."""

    note = 0

    def draw_epoch(self):
        epoch, note = self.epoch, self.note
        return lambda step: {"real": torch.tensor([epoch, step, note])}


def told(batches):
    return [tuple(batch["real"][:2].tolist()) for batch in batches]


def test_epochs_follow_one_another_once_they_are_trained():
    made = Told(3, seed=0)
    assert len(made) == 3
    for epoch in range(3):
        batches = []
        for batch in made:
            made.trained += 1
            batches.append(batch)
        assert told(batches) == [(epoch, 0), (epoch, 1), (epoch, 2)]


def test_an_iterator_that_gave_the_model_nothing_does_not_count():
    made = Told(3, seed=0)
    assert told(made) == told(made) == [(0, 0), (0, 1), (0, 2)]
    assert not made.begun
    assert made.finished_epochs == 0
    made.trained += 1
    assert made.begun
    assert made.finished_epochs == 1
    assert told(made)[0] == (1, 0)
    assert (made.epoch, made.trained) == (1, 0)


def test_what_an_epoch_depends_on_is_read_when_its_iterator_is_made():
    made = Told(2, seed=0)
    before = iter(made)
    made.note = 7
    assert [int(batch["real"][2]) for batch in before] == [0, 0]
    assert [int(batch["real"][2]) for batch in made] == [7, 7]


def test_a_resumed_epoch_goes_on_at_its_batch_and_then_with_the_next():
    made = Told(4, seed=0)
    made.resume(5, 3)
    assert (made.epoch, made.trained, made.begun) == (5, 3, False)
    assert told(made) == [(5, 3)]
    made.trained += 1
    assert told(made) == [(6, 0), (6, 1), (6, 2), (6, 3)]


def test_the_position_is_that_of_the_next_batch():
    made = Told(4, seed=0)
    assert made.position(last_batch=False) == {"epoch": 0, "batch": 0}
    made.resume(2, 1)
    # a trainer that has only just resumed still remembers the last batch of the run before
    assert made.position(last_batch=True) == {"epoch": 2, "batch": 1}
    made.trained += 1
    assert made.position(last_batch=False) == {"epoch": 2, "batch": 2}
    # an epoch may be cut short: its last batch is whatever the trainer says
    assert made.position(last_batch=True) == {"epoch": 3, "batch": 0}
    # a step that is not over is made again, on whatever batch
    assert made.position(last_batch=False, unfinished=True) == {"epoch": 2, "batch": 1}
    assert made.position(last_batch=True, unfinished=True) == {"epoch": 2, "batch": 1}


def test_a_batch_that_an_epoch_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="after batch 4 of an epoch, and epochs have 4 batches now"):
        Told(4, seed=0).resume(2, 4)


def lives(steps_per_epoch, lengths):
    """What is trained on by a run that dies and goes on: so many batches in each life."""
    position, seen = {"epoch": 0, "batch": 0}, []
    for length in lengths:
        made, left = Told(steps_per_epoch, seed=0), length
        made.resume(**position)
        for _ in range(length):  # as many epochs as are surely enough
            if not left:
                break
            list(itertools.islice(made, 2))  # a trainer may look at batches that it then throws away
            for batch in itertools.islice(made, left):
                made.trained += 1
                seen.append(batch)
                left -= 1
        position = made.position(last_batch=made.trained == steps_per_epoch)
    return told(seen)


@given(st.integers(1, 5), st.lists(st.integers(0, 7), max_size=5))
def test_a_run_that_dies_anywhere_trains_on_the_same_batches(steps_per_epoch, lengths):
    assert lives(steps_per_epoch, lengths) == [divmod(i, steps_per_epoch) for i in range(sum(lengths))]


def test_random_numbers_are_those_of_seed_purpose_and_epoch():
    def numbers(seed, purpose, epoch):
        return Told(1, seed).stream(purpose, epoch).integers(0, 2**62, 4).tolist()

    made = {key: numbers(*key) for key in itertools.product(range(3), repeat=3)}
    assert made == {key: numbers(*key) for key in made}
    assert len({tuple(row) for row in made.values()}) == 27


@pytest.mark.parametrize("steps", [0, -3])
def test_an_epoch_without_a_batch_is_refused(steps):
    with pytest.raises(ConfigError, match=f"steps_per_epoch is at least 1, not {steps}"):
        Told(steps, seed=0)


@given(st.integers(1, 12), st.integers(0, 60), st.integers(0, 5))
def test_every_pass_visits_everything_once(count, wanted, seed):
    order = passes(count, wanted, np.random.default_rng(seed))
    assert order.dtype == torch.int64
    assert len(order) == wanted
    for one in order[: wanted // count * count].view(-1, count).tolist():
        assert sorted(one) == list(range(count))
    rest = order[wanted // count * count :].tolist()
    assert len(set(rest)) == len(rest)
    assert set(rest) <= set(range(count))


def test_passes_differ_from_each_other():
    order = passes(20, 60, np.random.default_rng(0)).view(3, 20).tolist()
    assert len({tuple(one) for one in order}) == 3


def test_nothing_is_drawn_from_nothing():
    order = passes(0, 0, np.random.default_rng(0))
    assert order.dtype == torch.int64
    assert order.shape == (0,)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((5, -1, 4, 1), "-1 real"),
        ((5, 4, -1, 1), "-1 synthetic"),
        ((5, 0, 0, 1), "0 real and 0 synthetic"),
        ((0, 4, 4, 1), "no real training images"),
        ((5, 3, 4, 2), "3 real ones do not divide by 2"),
        ((5, 4, 3, 2), "3 synthetic ones do not divide by 2"),
    ],
)
def test_batches_that_cannot_be_drawn_or_divided_are_refused(counts, message):
    with pytest.raises(ConfigError, match=message):
        check_counts(*counts)


@pytest.mark.parametrize("counts", [(0, 0, 4, 2), (1, 6, 0, 3), (5, 2, 4, 2)])
def test_batches_that_can_be_drawn_and_divided_pass(counts):
    check_counts(*counts)
