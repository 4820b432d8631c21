"""A fixed data set that any generator makes, in parts that can be made in any order, by any process."""

import os
from collections.abc import Collection
from functools import cached_property

import torch
from jaxtyping import Int
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from synthreal.batch import Batch, Draws, numbered
from synthreal.datamodules.loading import InParts, batch_loader
from synthreal.datamodules.splits import split_by_class
from synthreal.datasets import ImageDataset
from synthreal.datasets.base import in_memory
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.generators.fingerprint import fingerprint
from synthreal.samplers import even_draws

_PREVIEW_PER_CLASS = 24


class GeneratedDataModule(LightningDataModule):
    """`count` samples spread over the generator's buckets in proportion to P0, for `predict` to write or to refine.

    Every class gets exactly its share, if that is whole, and the samples come shuffled. A sample is a pure function of
    (seed, count, index). Without a count the samples are those that the generator has stored, in its order. A batch is
    a part: `batch_size` samples with consecutive indices. The processes divide the parts that are not yet made among
    themselves.

    Args:
        generator: Makes the images, on the device.
        count: Number of samples; None for all that the generator has stored.
        batch_size: Samples in a part, for each process.
        source: Real images that the generator starts from, if it needs any; it gets the training ones. Set the next two
            and `seed` as in the run that trains on the result, or changed copies of images that it holds out or leaves
            out would be trained on; it can have no folds.
        real_per_class: Training images of each class that the generator gets; None for all that are not held out.
        validation_per_class: Training images of each class that the run holds out: for validation, and for probes.
        seed: Seed of the split and the draws; None for that of `--seed_everything`, or 0.

    Raises:
        ConfigError: If a count is below 1, or part of a source is asked for and there is none.

    Attributes:
        draws: Bucket, parameters and seed of every sample; there after `setup`.
    """

    draws: Draws

    def __init__(
        self,
        generator: ImageGenerator,
        count: int | None,
        batch_size: int = 64,
        source: ImageDataset | None = None,
        real_per_class: int | None = None,
        validation_per_class: int = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if (count is not None and count < 1) or batch_size < 1:
            raise ConfigError(f"count and batch_size are at least 1, not {count} and {batch_size}.")
        if source is None and (real_per_class is not None or validation_per_class):
            raise ConfigError("real_per_class and validation_per_class are of source, and there is none: give source.")
        self.generator, self.source = generator, source
        self.parts_per_class = {"validation": validation_per_class, "train": real_per_class}
        self._count, self.batch_size = count, batch_size
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", "0")) if seed is None else seed
        self._skipped: frozenset[int] = frozenset()
        self._fingerprint: dict[str, str] = {}
        # A process may find nothing left to make.
        self.allow_zero_length_dataloader_with_multiple_devices = True

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.generator.classes

    @property
    def count(self) -> int:
        """Number of samples.

        Raises:
            ConfigError: If it is left to the generator, which has none stored.
        """
        return len(self._stored["bucket"]) if self._count is None else self._count

    @cached_property
    def _stored(self) -> Draws:
        stored = self.generator.stored()
        if stored is None or not len(stored["bucket"]):
            raise ConfigError(f"{type(self.generator).__name__} has no stored images to take all of: set count.")
        return stored

    @property
    def num_parts(self) -> int:
        """Number of batches that make up the data set."""
        return -(-self.count // self.batch_size)

    def setup(self, stage: str | None = None) -> None:
        """Binds the generator to its source, and draws.

        Raises:
            DatasetNotFoundError: If files of the source are missing.
            ConfigError: If the source does not suit the generator or has too few images, or there is no count and
                nothing is stored.
        """
        if self.source is not None:
            images = in_memory(self.source.load("train"))
            self.generator.bind(split_by_class(images, self.parts_per_class, self.seed)["train"])
        self.draws = self._stored if self._count is None else even_draws(self.generator.space, self._count, [self.seed])
        self._fingerprint = {}

    def skip(self, parts: Collection[int]) -> None:
        """Leaves out parts that are made already, from the next loader on. Each process must be told the same."""
        self._skipped = frozenset(parts)

    def predict_dataloader(self) -> DataLoader[Draws]:
        """This process's share of the parts that are left.

        Raises:
            ConfigError: If Lightning would replace the sampler on several processes.
        """
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        left = [part for part in range(self.num_parts) if part not in self._skipped]
        return batch_loader(InParts(self.draws, self.batch_size, left[rank::world_size]), 0, self.trainer)

    def on_after_batch_transfer(self, batch: Draws, dataloader_idx: int) -> Batch:
        """Makes the images of a part, on its device."""
        made = self.generator.generate(batch, batch["bucket"].device)
        made["index"] = batch["index"]
        return made

    def make(self, index: Int[Tensor, " n"]) -> Batch:
        """Returns the samples at `index`, made on the CPU. Needs no trainer."""
        return self.on_after_batch_transfer(self.rows(index), 0)

    def rows(self, index: Int[Tensor, " n"]) -> Draws:
        """Returns the draws of the samples at `index`."""
        return numbered(self.draws, index)

    def preview(self, count: int | None = None) -> Batch:
        """Returns the image, label and domain of the first `count` samples; None for some 24 of each class."""
        wanted = min(count or _PREVIEW_PER_CLASS * len(self.classes), self.count)
        rows = torch.arange(wanted)
        if self._count is None and count is None:
            rows = rows * self.count // wanted  # stored images may come class by class
        made = [self.make(index) for index in rows.split(self.batch_size)]
        return {
            "image": torch.cat([batch["image"] for batch in made]),
            "label": torch.cat([batch["label"] for batch in made]),
            "domain": torch.cat([batch["domain"] for batch in made]),
        }

    def fingerprint(self) -> dict[str, str]:
        """Returns the SHA-256 of all draws, and of 32 images spread over the data set, in 8 bits, made on the CPU."""
        if not self._fingerprint:
            self._fingerprint = fingerprint(self.generator, self.draws)
        return self._fingerprint
