"""Loaders that hand over whole batches of draws."""

from collections.abc import Iterator

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, Dataset, Sampler

from synthreal.batch import Draws
from synthreal.errors import ConfigError


class _AsDrawn(Dataset[Draws]):
    """Answers a draw with itself: the images are made later, on the device."""

    def __getitem__(self, draws: Draws) -> Draws:
        return draws


class _InOrder(Sampler[Draws]):
    """Every `world_size`-th real image from `rank` on, in order, `size` at a time: each image once, none padded."""

    def __init__(self, count: int, size: int, rank: int, world_size: int) -> None:
        self._parts = [part for part in torch.arange(count)[rank::world_size].split(size) if len(part)]

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Draws]:
        return (Draws(real=part.clone()) for part in self._parts)


def batch_loader(sampler: Sampler[Draws], num_workers: int, trainer: Trainer | None) -> DataLoader[Draws]:
    """Returns a loader of the sampler's batches.

    Raises:
        ConfigError: If Lightning would replace the sampler on several processes.
    """
    if trainer is not None and trainer.world_size > 1 and trainer._accelerator_connector.use_distributed_sampler:
        raise ConfigError(
            "On several processes set use_distributed_sampler=False in the Trainer: "
            "the sampler already gives each process its share."
        )
    # Its own generator: workers must not draw their seeds from the global one, or a resumed run would differ.
    return DataLoader(
        _AsDrawn(), sampler=sampler, batch_size=None, num_workers=num_workers, generator=torch.Generator()
    )


def evaluation_loader(count: int, size: int, num_workers: int, trainer: Trainer | None) -> DataLoader[Draws]:
    """Returns a loader over `count` real images in order, this process's share of them."""
    rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
    return batch_loader(_InOrder(count, size, rank, world_size), num_workers, trainer)
