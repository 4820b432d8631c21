"""Epochs of batches that any process can draw, from any batch on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Sampler

from synthreal.batch import Draws
from synthreal.errors import ConfigError


class EpochSampler(Sampler[Draws], ABC):
    """Yields batch after batch of draws, a pure function of (seed, epoch) and of what a subclass reads for an epoch.

    Every rank draws the global batch and takes its share.

    Args:
        steps_per_epoch: Batches in an epoch, at least 1.
        seed: Seed of everything.

    Raises:
        ConfigError: If an epoch has no batch.

    Attributes:
        epoch: Epoch of the current iterator, from 0.
        trained: Batches of that epoch that reached the model; counted by the datamodule, since workers run ahead.
    """

    def __init__(self, steps_per_epoch: int, seed: int) -> None:
        if steps_per_epoch < 1:
            raise ConfigError(f"steps_per_epoch is at least 1, not {steps_per_epoch}.")
        self.steps_per_epoch, self.seed = steps_per_epoch, seed
        self.epoch = 0
        self.trained = 0
        self._start = 0

    def __len__(self) -> int:
        return self.steps_per_epoch

    @property
    def begun(self) -> bool:
        """True once a batch of this epoch has reached the model."""
        return self.trained > self._start

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that are over, asked at the end of one or before the first batch of the next."""
        return self.epoch + int(self.begun)

    def resume(self, epoch: int, batch: int) -> None:
        """Makes the next iterator start at a batch of an epoch, as if all before it had been drawn.

        Raises:
            ConfigError: If the epoch has no such batch.
        """
        if batch >= self.steps_per_epoch:
            raise ConfigError(
                f"The checkpoint was made after batch {batch} of an epoch, and epochs have {self.steps_per_epoch} "
                "batches now: make them longer, or go on from the end of an epoch."
            )
        self.epoch, self.trained, self._start = epoch, batch, batch

    def position(self, last_batch: bool, unfinished: bool = False) -> dict[str, int]:
        """Returns the epoch and the batch that come next, for `resume`.

        Args:
            last_batch: Whether the batch that reached the model last is its epoch's last.
            unfinished: Whether its step is not over, so that it comes again.
        """
        if unfinished:
            return {"epoch": self.epoch, "batch": self.trained - 1}
        if last_batch and self.begun:
            return {"epoch": self.epoch + 1, "batch": 0}
        return {"epoch": self.epoch, "batch": self.trained}

    def __iter__(self) -> Iterator[Draws]:
        # Epochs are counted here and not by the trainer, which makes an iterator too many when it resumes at an epoch's
        # end, as a loader with workers always does: one that gave no batch does not count.
        if self.begun:
            self.resume(self.epoch + 1, 0)
        # The epoch is drawn here, not in a generator: what it depends on must be read now, also when the first `next`
        # comes later.
        batch = self.draw_epoch()
        return (batch(step) for step in range(self._start, self.steps_per_epoch))

    @abstractmethod
    def draw_epoch(self) -> Callable[[int], Draws]:
        """Draws the current epoch and returns its batches, this process's share of them, by step."""

    def stream(self, purpose: int, epoch: int) -> np.random.Generator:
        """Returns the random numbers of an epoch for one purpose."""
        return np.random.default_rng([self.seed, purpose, epoch])


def passes(count: int, wanted: int, stream: np.random.Generator) -> Int[Tensor, " wanted"]:
    """Returns `wanted` indices of pass after pass over `count` things, each pass in a new order."""
    number = -(-wanted // count) if wanted else 0
    order = [stream.permutation(count) for _ in range(number)]
    return torch.from_numpy(np.concatenate([np.zeros(0, dtype=np.int64), *order])[:wanted])


def copies(draws: Draws, rows: slice) -> Draws:
    """Returns copies of these rows of all columns: views would carry the whole epoch to a worker process."""
    return Draws(**{key: table[rows].clone() for key, table in draws.items()})  # type: ignore


def check_counts(num_real: int, real: int, synthetic: int, world_size: int) -> None:
    """Checks that batches of so many real and synthetic images can be drawn and divided among the processes.

    Raises:
        ConfigError: If they cannot.
    """
    if real < 0 or synthetic < 0 or real + synthetic == 0:
        raise ConfigError(f"A batch of {real} real and {synthetic} synthetic images cannot be drawn.")
    if real and not num_real:
        raise ConfigError(f"{real} real images a batch are asked for, but there are no real training images.")
    for name, size in (("real", real), ("synthetic", synthetic)):
        if size % world_size:
            raise ConfigError(
                f"A batch counts the images of all processes: {size} {name} ones do not divide by {world_size}."
            )
