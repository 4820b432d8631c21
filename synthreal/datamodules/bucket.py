"""Real images and synthetic draws for SampleAhead: training batches, probes, validation and test."""

import copy
from typing import Any

import torch
from torch.utils.data import DataLoader

from synthreal.batch import Batch, Draws, LabelledImages, join
from synthreal.datamodules.drawn import DrawnDataModule
from synthreal.datamodules.evaluation import RealSet
from synthreal.datamodules.probes import ProbeSet
from synthreal.datamodules.splits import split_by_class
from synthreal.datasets import ImageDataset
from synthreal.datasets.base import in_memory
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.samplers import BucketDistribution, BucketSampler


class BucketDataModule(DrawnDataModule):
    """Each training batch: real images, and synthetic ones whose buckets are drawn from P.

    The loader hands over draws; `on_after_batch_transfer` makes the images where the model lives. Validation, probes
    and training come from disjoint parts of the training set; the test set is read only by `test` and `predict`.

    Args:
        dataset: Real images.
        generator: Makes synthetic ones.
        real_per_batch: Real images in a batch, over all processes. The paper's is 60.
        synthetic_per_batch: Synthetic images in a batch, over all processes. The paper's is 16.
        real_per_class: Real training images of each class; None for all that are not held out.
        validation_per_class: Real images of each class held out for validation.
        probe_images_per_class: Real images of each class held out for probes.
        num_probes: Probes over all buckets, made from the images held out for them. The paper's is 16,000.
        steps_per_epoch: Batches in an epoch (between two updates of P); None for one pass over the real images.
        pool_size: Size of a fixed set of synthetic draws from P0.
        pool_share: Share of synthetic images drawn from that pool: 0 fresh, 1 pool only, between is mixed.
        eval_batch_size: Images in a batch of validation, test and probes, for each process. 100 small ones fit a
            processor's cache; give a GPU more.
        num_workers: Worker processes. The images are made on the device, so 0 is fastest.
        seed: Seed of splits and draws; None for that of `--seed_everything`, or 0.
    """

    sampler: BucketSampler
    probes: ProbeSet

    def __init__(
        self,
        dataset: ImageDataset,
        generator: ImageGenerator,
        real_per_batch: int = 60,
        synthetic_per_batch: int = 16,
        real_per_class: int | None = None,
        validation_per_class: int = 0,
        probe_images_per_class: int = 100,
        num_probes: int = 16_000,
        steps_per_epoch: int | None = None,
        pool_size: int = 0,
        pool_share: float = 0.0,
        eval_batch_size: int = 100,
        num_workers: int = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__((), 0, eval_batch_size, num_workers, seed)
        self.dataset, self.generator = dataset, generator
        self.real_per_batch, self.synthetic_per_batch = real_per_batch, synthetic_per_batch
        self.parts_per_class = {
            "validation": validation_per_class,
            "probe": probe_images_per_class,
            "train": real_per_class,
        }
        self.num_probes, self.steps_per_epoch = num_probes, steps_per_epoch
        self.pool_size, self.pool_share = pool_size, pool_share
        self.distribution = BucketDistribution(generator.space.volumes())
        self.images: dict[str, LabelledImages] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.dataset.classes

    def setup(self, stage: str | None = None) -> None:
        """Loads and splits the real images, binds the generators and makes the sampler.

        Raises:
            DatasetNotFoundError: If files are missing.
            ConfigError: If the splits, the classes or the image sizes do not fit together.
        """
        if stage in ("test", "predict"):
            self.sets = {"test": self.evaluation_set(self.dataset)}
            return
        self.images.update(split_by_class(in_memory(self.dataset.load("train")), self.parts_per_class, self.seed))
        self.sets = {"validation": RealSet(self.images["validation"], ())}
        probe_generator = copy.deepcopy(self.generator)
        self.generator.bind(self.images["train"])
        if self.num_probes:
            probe_generator.bind(self.images["probe"])
        self.probes = ProbeSet(probe_generator, self.num_probes, self.seed)
        self._check_generator()
        self._make_sampler()

    def _make_sampler(self) -> None:
        rank, world_size = self.ranks
        self.distribution = BucketDistribution(self.generator.space.volumes())
        self.sampler = BucketSampler(
            self.generator.space,
            self.distribution,
            num_real=len(self.images["train"]),
            real_per_batch=self.real_per_batch,
            synthetic_per_batch=self.synthetic_per_batch,
            steps_per_epoch=self.steps_per_epoch,
            pool_size=self.pool_size,
            pool_share=self.pool_share,
            seed=self.seed,
            rank=rank,
            world_size=world_size,
        )

    def _check_generator(self) -> None:
        if self.generator.num_classes != len(self.dataset.classes):
            raise ConfigError(
                f"The generator makes {self.generator.num_classes} classes, the real images have "
                f"{len(self.dataset.classes)}: {', '.join(self.dataset.classes)}."
            )
        real = self.images["train"].images.shape[1:]
        parameters = self.generator.space.sample(torch.zeros(1, dtype=torch.int64), torch.Generator())
        zero = torch.zeros(1, dtype=torch.int64)
        draws = Draws(bucket=zero, parameters=parameters, seed=zero)
        made = self.generator.generate(draws, torch.device("cpu"))["image"].shape[1:]
        if self.real_per_batch and made != real:
            raise ConfigError(
                f"Real images are {list(real)} [C, H, W], the generator's are {list(made)}: set both to one size."
            )

    def train_dataloader(self) -> DataLoader[Draws]:
        """Batches of draws.

        Raises:
            ConfigError: If Lightning would replace the sampler on several processes.
        """
        return self.training_loader()

    def val_dataloader(self) -> DataLoader[Draws] | list[DataLoader[Draws]]:
        """Real images held out for validation; no loader if there are none."""
        return self.evaluation_loader("validation") if len(self.images["validation"]) else []

    def test_dataloader(self) -> DataLoader[Draws]:
        """The real test set."""
        return self.evaluation_loader("test")

    def training_batch(self, draws: Draws) -> Batch:
        """Returns the real images and the synthetic ones that draws ask for, in this order, on the draws' device."""
        device = draws["real"].device
        self.images["train"] = self.images["train"].to(device)
        real = self.images["train"].batch(draws["real"])
        if not len(draws["bucket"]):
            return real
        synthetic = self.generator.generate(draws, device)
        return join([real, synthetic]) if len(draws["real"]) else synthetic

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that are over, asked at the end of one or before the first batch of the next."""
        return self.sampler.finished_epochs

    def preview(self, count: int = 2000) -> Batch:
        """Returns the first `count` images that training would see, or a few more. Needs no trainer."""
        batches: list[Batch] = []
        for draws in self.sampler:
            batches.append(self.training_batch(draws))
            if sum(len(batch["label"]) for batch in batches) >= count:
                break
        return join(batches)

    def state_dict(self) -> dict[str, Any]:
        """Returns where the next batch comes from, and P."""
        place = super().state_dict()
        return {**place, "distribution": self.distribution.state_dict()} if place else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores P, and continues with the batch after the last one that was trained on."""
        super().load_state_dict(state_dict)
        if hasattr(self, "sampler"):
            self.distribution.load_state_dict(state_dict["distribution"])

    def fingerprint(self) -> dict[str, str]:
        """Returns the SHA-256 of each part of the real data that is loaded."""
        prints = {name: images.fingerprint() for name, images in self.images.items()}
        return prints | {name: held.fingerprint() for name, held in self.sets.items()}
