"""What data modules whose training batches come from a sampler have in common."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float, Int
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from synthreal.batch import Batch, Draws
from synthreal.datamodules.checks import check_image
from synthreal.datamodules.evaluation import EvaluationSet, GeneratedSet, RealSet
from synthreal.datamodules.loading import batch_loader
from synthreal.datamodules.transforms import transform
from synthreal.datasets import ImageDataset
from synthreal.datasets.base import Labelled
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.samplers.epochs import EpochSampler


class DrawnDataModule(LightningDataModule, ABC):
    """Loaders hand over draws; their images are made where the model lives. Training goes on with the very next batch.

    A subclass makes `sampler` or `sets` in `setup`.

    Args:
        evaluation_transform: What validation and test do to every image.
        test_size: Samples of each generator that is tested on and has none stored.
        eval_batch_size: Images in a batch of validation and test, for each process.
        num_workers: Worker processes.
        seed: Seed of splits and draws; None for that of `--seed_everything`, or 0.

    Attributes:
        sampler: Where training batches come from; missing until `setup` for training.
        sets: What is validated or tested on, whichever was set up last, by name, in the loaders' order.
    """

    sampler: EpochSampler

    def __init__(
        self,
        evaluation_transform: Sequence[nn.Module],
        test_size: int,
        eval_batch_size: int,
        num_workers: int,
        seed: int | None,
    ) -> None:
        super().__init__()
        self.evaluation_transform, self.test_size = evaluation_transform, test_size
        self.eval_batch_size, self.num_workers = eval_batch_size, num_workers
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", "0")) if seed is None else seed
        self.sets: dict[str, EvaluationSet] = {}
        self._read: dict[int, tuple[ImageDataset, Labelled]] = {}  # by identity: test images that were looked at

    @abstractmethod
    def training_batch(self, draws: Draws) -> Batch:
        """Returns the images of a training batch, on the draws' device; `sampler.trained` counts it already."""

    def training_loader(self, images: Labelled | None = None) -> DataLoader[Draws]:
        """Returns a loader of the sampler's batches.

        Args:
            images: Where real images are read from, if they stay on disk.

        Raises:
            ConfigError: If the trainer has trained on other batches before, or see `batch_loader`.
        """
        trainer = self.trainer
        # Loaders that are made anew within a training find the sampler further on.
        if trainer is not None and self.sampler.finished_epochs == 0 and trainer.global_step and not trainer.ckpt_path:
            raise ConfigError(
                f"This Trainer has trained for {trainer.global_step} steps, but the data would start from the "
                "beginning: save a checkpoint, make a new Trainer, and go on by fit(…, ckpt_path=…)."
            )
        return batch_loader(self.sampler, self.num_workers, trainer, images)

    @property
    def ranks(self) -> tuple[int, int]:
        """Number of this process, and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def evaluation_set(self, source: ImageGenerator | ImageDataset) -> EvaluationSet:
        """Returns the test images of a data set, or samples of a generator."""
        if isinstance(source, ImageDataset):
            _, images = self._read.pop(id(source)) if id(source) in self._read else (source, source.load("test"))
            return RealSet(images, self.evaluation_transform)
        return GeneratedSet(source, self.test_size, self.evaluation_transform)

    def check_tests(
        self, tests: Mapping[str, ImageGenerator | ImageDataset], shape: Sequence[int], any_size: bool = False
    ) -> None:
        """Makes an image of each further test set; what a data set had to read for it is kept for the test.

        Args:
            tests: The sets by name.
            shape: Of a training image: channels, height, width.
            any_size: See `check_image`.

        Raises:
            DatasetNotFoundError: If files are missing.
            ConfigError: If a set has images of another shape, or its generator was given no real images.
        """
        self._read = {}  # files may have changed since
        for name, source in tests.items():
            held = self.evaluation_set(source)
            check_image(held, f"the test set {name!r}", shape, any_size)
            if isinstance(source, ImageDataset) and isinstance(held, RealSet):
                self._read[id(source)] = source, held.held

    def evaluation_loader(self, name: str) -> DataLoader[Draws]:
        """Returns a loader of one of the `sets`."""
        return self.sets[name].loader(self.eval_batch_size, self.num_workers, self.trainer)

    def test_dataloader(self) -> DataLoader[Draws] | dict[str, DataLoader[Draws]]:
        """Each test set, by name."""
        return {name: self.evaluation_loader(name) for name in self.sets}

    def predict_dataloader(self) -> DataLoader[Draws] | dict[str, DataLoader[Draws]]:
        """What is tested on."""
        return self.test_dataloader()

    def on_after_batch_transfer(self, batch: Draws, dataloader_idx: int) -> Batch:
        """Makes the images of a batch of draws, on its device."""
        assert self.trainer is not None  # Lightning calls this hook from a trainer only
        if self.trainer.training:
            self.sampler.trained += 1
            return self.training_batch(batch)
        return list(self.sets.values())[dataloader_idx].batch(batch)

    def transformed(self, batch: Batch, steps: Sequence[nn.Module], stream: int, step: int) -> Batch:
        """Returns a training batch whose images went through steps.

        Args:
            batch: Images of this process.
            steps: What is done to them, see `transform`.
            stream: Number of the random stream that the steps' choices come from.
            step: Number of the batch in the epoch, from 0, which those choices depend on.
        """
        key = [self.seed, stream, self.sampler.epoch, step, self.ranks[0]]
        return {**batch, "image": transform(batch["image"], steps, key)}

    def test_images(self, name: str, index: Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Returns images of a test set to look at, values in [0, 1]."""
        return self.sets[name].show(index)

    def state_dict(self) -> dict[str, Any]:
        """Returns where the next batch comes from; nothing where nothing is drawn, as in a test."""
        if not hasattr(self, "sampler"):
            return {}
        assert self.trainer is not None
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        unfinished = progress.current.ready > progress.current.processed  # type: ignore[attr-defined]
        return self.sampler.position(progress.is_last_batch, unfinished)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues with the batch after the last one that was trained on."""
        if hasattr(self, "sampler"):  # testing draws nothing
            self.sampler.resume(state_dict["epoch"], state_dict["batch"])
