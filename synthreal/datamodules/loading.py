"""Loaders that hand over whole batches of draws."""

from collections.abc import Iterator, Sequence

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, Dataset, Sampler

from synthreal.batch import Batch, Draws, numbered, real_batch
from synthreal.datasets.base import Labelled
from synthreal.datasets.files import LabelledFiles
from synthreal.errors import ConfigError

_CONVERTING = ("16-true", "bf16-true", "64-true")  # Lightning's precisions that convert every float of a batch


class _AsDrawn(Dataset[Draws]):
    """Answers a draw with itself: images are made later, on the device; only what stays on disk is read here."""

    def __init__(self, images: Labelled | None) -> None:
        self._images = images

    def __getitem__(self, draws: Draws) -> Draws:
        return with_pixels(self._images, draws)


def with_pixels(images: Labelled | None, draws: Draws) -> Draws:
    """Returns draws with the real images that they ask for, if those stay on disk."""
    if isinstance(images, LabelledFiles) and len(draws["real"]):  # to read none would take its time, too
        return {**draws, "pixels": images.read(draws["real"])}
    return draws


def real_rows(images: Labelled, draws: Draws) -> Batch:
    """Returns the real images that draws ask for, values in [0, 1], on the device of both."""
    if isinstance(images, LabelledFiles):
        return real_batch(draws["pixels"].div(255), images.labels[draws["real"]])
    return images.batch(draws["real"])


class InParts(Sampler[Draws]):
    """Yields parts of a fixed set of draws, `size` consecutive samples each.

    Args:
        draws: The set.
        size: Samples in a part; the last part may have fewer.
        parts: Numbers of the parts.
    """

    def __init__(self, draws: Draws, size: int, parts: Sequence[int]) -> None:
        self._draws, self._size, self._parts = draws, size, parts

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Draws]:
        count = len(self._draws["bucket"])
        for part in self._parts:
            yield numbered(self._draws, torch.arange(part * self._size, min((part + 1) * self._size, count)))


class _InOrder(Sampler[Draws]):
    """Every `world_size`-th row from `rank` on, in order, `size` at a time: each row once, none padded."""

    def __init__(self, rows: Draws, size: int, rank: int, world_size: int) -> None:
        self._rows = rows
        count = len(rows["real"] if "real" in rows else rows["bucket"])
        self._parts = [part for part in torch.arange(count)[rank::world_size].split(size) if len(part)]

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Draws]:
        return (Draws(**{key: table[part] for key, table in self._rows.items()}) for part in self._parts)  # type: ignore


def batch_loader(
    sampler: Sampler[Draws], num_workers: int, trainer: Trainer | None, images: Labelled | None = None
) -> DataLoader[Draws]:
    """Returns a loader of the sampler's batches.

    Args:
        sampler: Yields draws.
        num_workers: Worker processes.
        trainer: The trainer, if there is one.
        images: Where real images are read from, if they stay on disk.

    Raises:
        ConfigError: If Lightning would replace the sampler, or round what it draws.
    """
    if trainer is not None and trainer.overfit_batches:  # type: ignore[attr-defined]
        raise ConfigError("overfit_batches would replace the sampler: set limit_train_batches instead.")
    if trainer is not None and trainer.precision in _CONVERTING:
        raise ConfigError(
            f"Precision {trainer.precision} converts the parameters that images are made from, too: "
            "take 32-true, or 16-mixed or bf16-mixed."
        )
    if trainer is not None and trainer.world_size > 1 and trainer._accelerator_connector.use_distributed_sampler:
        raise ConfigError(
            "On several processes set use_distributed_sampler=False in the Trainer: "
            "the sampler already gives each process its share."
        )
    return DataLoader(
        _AsDrawn(images),
        sampler=sampler,
        batch_size=None,
        num_workers=num_workers,
        # Its own generator: workers must not draw their seeds from the global one, or a resumed run would differ.
        generator=torch.Generator(),
        pin_memory=isinstance(images, LabelledFiles) and torch.cuda.is_available(),
    )


def evaluation_loader(images: Labelled, size: int, num_workers: int, trainer: Trainer | None) -> DataLoader[Draws]:
    """Returns a loader over real images in order, this process's share of them."""
    return loader_in_order(Draws(real=torch.arange(len(images))), size, num_workers, trainer, images)


def loader_in_order(
    rows: Draws, size: int, num_workers: int, trainer: Trainer | None, images: Labelled | None = None
) -> DataLoader[Draws]:
    """Returns a loader over rows of draws in order, this process's share of them: each row once, none padded.

    Args:
        rows: Draws of real images, or of synthetic ones.
        size: Rows in a batch.
        num_workers: Worker processes.
        trainer: The trainer, if there is one.
        images: Where real images are read from, if they stay on disk.

    Raises:
        ConfigError: If the size is below 1.
    """
    if size < 1:
        raise ConfigError(f"eval_batch_size is at least 1, not {size}.")
    rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
    return batch_loader(_InOrder(rows, size, rank, world_size), num_workers, trainer, images)
