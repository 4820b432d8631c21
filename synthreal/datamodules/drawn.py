"""What data modules whose training batches come from a sampler have in common."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, Int
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from synthreal.batch import Batch, Draws
from synthreal.datamodules.evaluation import EvaluationSet, GeneratedSet, RealSet
from synthreal.datamodules.transforms import transform
from synthreal.datasets import ImageDataset
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

    @abstractmethod
    def training_batch(self, draws: Draws) -> Batch:
        """Returns the images of a training batch, on the draws' device; `sampler.trained` counts it already."""

    @property
    def ranks(self) -> tuple[int, int]:
        """Number of this process, and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def evaluation_set(self, source: ImageGenerator | ImageDataset) -> EvaluationSet:
        """Returns the test images of a data set, or samples of a generator."""
        if isinstance(source, ImageDataset):
            return RealSet(source.load("test"), self.evaluation_transform)
        return GeneratedSet(source, self.test_size, self.evaluation_transform)

    def evaluation_loader(self, name: str) -> DataLoader[Draws]:
        """Returns a loader of one of the `sets`."""
        return self.sets[name].loader(self.eval_batch_size, self.num_workers, self.trainer)

    def test_dataloader(self) -> DataLoader[Draws] | dict[str, DataLoader[Draws]]:
        """Each test set, by name."""
        return {name: self.evaluation_loader(name) for name in self.sets}

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
        """Returns where the next batch comes from."""
        assert self.trainer is not None
        return self.sampler.position(self.trainer.is_last_batch)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues with the batch after the last one that was trained on."""
        if hasattr(self, "sampler"):  # testing draws nothing
            self.sampler.resume(state_dict["epoch"], state_dict["batch"])
