"""Batches that mix real and synthetic images: by an exact ratio, or in proportion to what there is."""

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Int
from torch import Tensor

from synthreal.batch import Draws, numbered
from synthreal.errors import ConfigError
from synthreal.samplers.epochs import EpochSampler, check_counts, copies, passes
from synthreal.samplers.even import even_draws
from synthreal.spaces import ParameterSpace

_REAL, _SYNTHETIC, _BOTH = range(5, 8)  # purposes; those of the bucket sampler start at 0

Counts = tuple[int, int]
"""Real and synthetic images in a global batch."""


def split_batch(batch_size: int, ratio: tuple[int, int]) -> Counts:
    """Returns how many images of a batch are real and how many synthetic, exactly as real:synthetic says.

    Raises:
        ConfigError: If the ratio is no ratio, or the batch cannot be divided by it.
    """
    real, synthetic = ratio
    if real < 0 or synthetic < 0 or real + synthetic == 0:
        raise ConfigError(f"ratio is real:synthetic, two counts of at least 0 and not both 0, not {list(ratio)}.")
    part = (real + synthetic) // math.gcd(real, synthetic)
    if batch_size < 1 or batch_size % part:
        above = -(-max(batch_size, 1) // part) * part
        below = above - part
        sizes = f"{below} or {above}" if below else f"{above}, or a ratio with smaller numbers"
        raise ConfigError(
            f"A batch of {batch_size} cannot be divided {real}:{synthetic} exactly: set batch_size to {sizes}."
        )
    return batch_size * real // (real + synthetic), batch_size * synthetic // (real + synthetic)


class MixingSampler(EpochSampler):
    """Batches with an exact number of real and of synthetic images, on every process (mixing-ratio paper, sec. 3.3).

    An epoch is one pass over the real images in a new order; its last batch is filled up from a second pass. Synthetic
    images are new in every epoch, or come from a fixed set that is walked through pass by pass, across epochs.

    Args:
        synthetic: The space that new draws come from, or the draws of a fixed set.
        num_real: Number of real training images.
        counts: First epoch → images in each global batch from then on; has an entry for epoch 0.
        steps_per_epoch: Batches in an epoch; None for one pass over the real images, or over the fixed set if no image
            is real.
        seed: Seed of everything.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ConfigError: If the counts cannot be drawn or divided among the processes, or the length of an epoch is open.
    """

    def __init__(
        self,
        synthetic: ParameterSpace | Draws,
        num_real: int,
        counts: Mapping[int, Counts],
        steps_per_epoch: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if 0 not in counts or min(counts) < 0:
            raise ConfigError(f"The counts begin at epoch 0, not at {sorted(counts)}.")
        for real, made in counts.values():
            check_counts(num_real, real, made, world_size)
        if any(made for _, made in counts.values()) and not (
            isinstance(synthetic, ParameterSpace) or len(synthetic["bucket"])
        ):
            raise ConfigError("Synthetic images are asked for, but the fixed set of them is empty.")
        self.synthetic, self.num_real = synthetic, num_real
        self.counts = dict(sorted(counts.items()))
        self.rank, self.world_size = rank, world_size
        super().__init__(self._one_pass() if steps_per_epoch is None else steps_per_epoch, seed)

    @property
    def _set_size(self) -> int | None:
        return None if isinstance(self.synthetic, ParameterSpace) else len(self.synthetic["bucket"])

    def _one_pass(self) -> int:
        real, made = self.counts[0]
        if len(self.counts) > 1 or not (real or self._set_size):
            raise ConfigError("An epoch has no natural length here: set steps_per_epoch.")
        count, size = (self.num_real, real) if real else (self._set_size or 0, made)
        return -(-count // size)

    def counts_of(self, epoch: int) -> Counts:
        """Returns the images in each global batch of an epoch."""
        return self.counts[max(first for first in self.counts if first <= epoch)]

    def draw_epoch(self) -> Callable[[int], Draws]:
        """See `EpochSampler.draw_epoch`."""
        real, made = self.counts_of(self.epoch)
        order = passes(self.num_real, real * len(self), self.stream(_REAL, self.epoch))
        draws = self._synthetic_draws(made * len(self))

        def batch(step: int) -> Draws:
            """This process's rows of a batch."""
            rows = slice(step * made + self.rank, (step + 1) * made, self.world_size)
            images = slice(step * real + self.rank, (step + 1) * real, self.world_size)
            return {**copies({"real": order}, images), **copies(draws, rows)}

        return batch

    def _synthetic_draws(self, wanted: int) -> Draws:
        if isinstance(self.synthetic, ParameterSpace):
            return even_draws(self.synthetic, wanted, [self.seed, _SYNTHETIC, self.epoch])
        return self._walk(self.synthetic, wanted)

    def _walk(self, synthetic: Draws, wanted: int) -> Draws:
        """A stretch of an endless walk over the fixed set, from where the epoch before ended."""
        if not wanted:
            return numbered(synthetic, torch.zeros(0, dtype=torch.int64))
        count = len(synthetic["bucket"])
        start = len(self) * sum(self.counts_of(epoch)[1] for epoch in range(self.epoch))
        first, end = start // count, -(-(start + wanted) // count)
        order = torch.cat([passes(count, count, self.stream(_SYNTHETIC, number)) for number in range(first, end)])
        return numbered(synthetic, order[start - first * count :][:wanted])


class ConcatenationSampler(EpochSampler):
    """Batches of real images and a fixed set of synthetic ones shuffled together (benchmark paper, sec. 5.3.6).

    An epoch is one pass over both; its last batch is filled up from a second pass. A batch holds them in proportion to
    their numbers on average only.

    Args:
        synthetic: The draws of the fixed set; it may be empty.
        num_real: Number of real training images.
        batch_size: Images in a batch, over all processes.
        steps_per_epoch: Batches in an epoch; None for one pass.
        seed: Seed of everything.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ConfigError: If there are no images, or the batch does not divide among the processes.
    """

    def __init__(
        self,
        synthetic: Draws,
        num_real: int,
        batch_size: int,
        steps_per_epoch: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        count = num_real + len(synthetic["bucket"])
        if not count:
            raise ConfigError("There are neither real nor synthetic training images.")
        if batch_size < 1 or batch_size % world_size:
            raise ConfigError(f"batch_size counts all processes: {batch_size} does not divide by {world_size}.")
        self.synthetic, self.num_real, self.batch_size, self._count = synthetic, num_real, batch_size, count
        self.rank, self.world_size = rank, world_size
        super().__init__(-(-count // batch_size) if steps_per_epoch is None else steps_per_epoch, seed)

    def draw_epoch(self) -> Callable[[int], Draws]:
        """See `EpochSampler.draw_epoch`."""
        order = passes(self._count, self.batch_size * len(self), self.stream(_BOTH, self.epoch))

        def batch(step: int) -> Draws:
            """This process's rows of a batch."""
            rows: Int[Tensor, " n"] = order[step * self.batch_size + self.rank : (step + 1) * self.batch_size]
            rows = rows[:: self.world_size]
            real = rows < self.num_real
            return {"real": rows[real], **numbered(self.synthetic, rows[~real] - self.num_real)}

        return batch
