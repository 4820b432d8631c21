"""Samplers one after the other."""

import pytest
import torch

from synthreal.errors import ConfigError
from synthreal.samplers import ConcatenationSampler, PhasedSampler, even_draws
from synthreal.spaces import Categorical, Continuous, Product

SPACE = Product([Categorical("class", ("a", "b")), Continuous("x", 0, 1)])


def sampler(size, steps=3):
    return ConcatenationSampler(even_draws(SPACE, size, [size]), 0, 4, steps, seed=7)


def phases(epochs=(2, 1, 1), sizes=(8, 9, 10)):
    return PhasedSampler([sampler(size) for size in sizes], epochs)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def epoch_of(phased):
    """Batches of the next epoch, as if trained on."""
    batches = []
    for batch in phased:
        phased.trained += 1
        batches.append(batch)
    return batches


def test_each_epoch_is_that_of_its_phase_and_the_last_phase_goes_on():
    phased = phases()
    for epoch, (phase, size) in enumerate([(0, 8), (0, 8), (1, 9), (2, 10), (2, 10), (2, 10)]):
        alone = sampler(size)
        alone.resume(epoch, 0)
        batches = epoch_of(phased)
        assert [batch.pop("phase") for batch in batches] == [phase] * 3
        assert all(same(batch, expected) for batch, expected in zip(batches, alone, strict=True))


def test_epochs_of_a_phase_differ():
    first, second = (epoch_of(phased)[0] for phased in [phases()] * 2)
    assert not torch.equal(first["index"], second["index"])


def test_it_goes_on_in_the_middle_of_a_phase():
    phased, again = phases(), phases()
    epochs = [epoch_of(phased) for _ in range(4)]
    again.resume(2, 1)
    left = epoch_of(again)
    assert [batch.pop("phase") for batch in left] == [1, 1]
    for batch in epochs[2]:
        batch.pop("phase")
    assert all(same(batch, expected) for batch, expected in zip(left, epochs[2][1:], strict=True))


@pytest.mark.parametrize("epochs", [(), (1, 1), (1, 0, 1)])
def test_phases_without_epochs_are_refused(epochs):
    with pytest.raises(ConfigError, match="at least 1 epoch"):
        phases(epochs)


def test_epochs_of_unequal_length_are_refused():
    with pytest.raises(ConfigError, match=r"as many batches, not \[3, 4\]"):
        PhasedSampler([sampler(8, 3), sampler(8, 4)], [1, 1])
