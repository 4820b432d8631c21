"""Samplers one after the other."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from synthreal.batch import Draws
from synthreal.errors import ConfigError
from synthreal.samplers.epochs import EpochSampler


class PhasedSampler(EpochSampler):
    """Each epoch is one of the sampler whose phase it is in; batches say which (`phase`).

    Args:
        samplers: One for each phase, of equally long epochs.
        epochs: Length of each phase, epochs; the last phase goes on without an end.

    Raises:
        ConfigError: If there is no phase, a phase has no epoch, or their epochs are not equally long.
    """

    def __init__(self, samplers: Sequence[EpochSampler], epochs: Sequence[int]) -> None:
        if not samplers or len(samplers) != len(epochs) or min(epochs) < 1:
            raise ConfigError(f"Each phase has a sampler and at least 1 epoch, not {list(epochs)} epochs.")
        if len({len(sampler) for sampler in samplers}) > 1:
            raise ConfigError(f"Epochs of all phases have as many batches, not {[len(s) for s in samplers]}.")
        self.samplers, self._starts = list(samplers), [0, *accumulate(epochs)][:-1]
        super().__init__(len(samplers[0]), samplers[0].seed)

    def phase_of(self, epoch: int) -> int:
        """Returns the number of an epoch's phase, from 0."""
        return bisect_right(self._starts, epoch) - 1

    def draw_epoch(self) -> Callable[[int], Draws]:
        """See `EpochSampler.draw_epoch`."""
        phase = self.phase_of(self.epoch)
        sampler = self.samplers[phase]
        sampler.epoch = self.epoch
        batch = sampler.draw_epoch()
        return lambda step: {**batch(step), "phase": phase}
