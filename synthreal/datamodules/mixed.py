"""Real and synthetic images in one batch: what share of each, and what is synthetic data worth."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from synthreal.batch import Batch, Draws, LabelledImages, join, select_draws, synthetic_batch
from synthreal.datamodules.checks import check_image
from synthreal.datamodules.drawn import DrawnDataModule
from synthreal.datamodules.evaluation import RealSet
from synthreal.datamodules.fixed import fixed_set, make_once
from synthreal.datamodules.leaks import Overlap, without_leaks
from synthreal.datamodules.loading import real_rows, with_pixels
from synthreal.datamodules.splits import split_by_class
from synthreal.datasets import ImageDataset
from synthreal.datasets.base import Labelled
from synthreal.datasets.part import fold_of
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.generators.fingerprint import digest
from synthreal.samplers import AlignedSampler, ConcatenationSampler, MixingSampler, even_draws, split_batch

_REAL, _SYNTHETIC = 22, 23  # random streams of their own: the samplers' and the fixed set's are below

TrainingSampler = MixingSampler | ConcatenationSampler | AlignedSampler
"""What a training batch may come from."""


class MixedDataModule(DrawnDataModule):
    """Each training batch holds real and synthetic images, by an exact ratio or in proportion to their numbers.

    The loader hands over draws; `on_after_batch_transfer` makes the synthetic images where the model lives, and
    transforms each domain in its own way. Folds, validation and training come from disjoint parts of the training set,
    and an image that is in the real test set too is found by its content. `test` scores the real test set ("real") and
    every set in `tests`.

    Args:
        dataset: Real images.
        generator: Makes synthetic ones, or hands out stored ones. Its classes are those of the real images.
        ratio: Real to synthetic images in every batch, such as [1, 15]; [1, 0] and [0, 1] use one domain alone. None
            shuffles a fixed set of synthetic images and the real ones together.
        batch_size: Images in a batch, over all processes.
        curriculum: First epoch → ratio from then on, after `ratio`. {10: [1, 0]} after a ratio of [0, 1] trains on
            synthetic images first and on real ones from epoch 10 on. Needs steps_per_epoch.
        synthetic_size: Size of a fixed set of synthetic images; None for all that the generator has stored, or for
            new ones in every epoch.
        steps_per_epoch: Batches in an epoch; None for one pass over the real images.
        real_per_class: Real training images of each class; None for all.
        validation_per_class: Real training images of each class held out for validation. 0 takes the data set's own
            validation images, if it has any.
        folds: Disjoint parts that each class's training images are cut into.
        fold: Which of them to use, from 0.
        real_transform: What training does to real images, in order: kornia's augmentations by class path.
        synthetic_transform: The same for synthetic images.
        evaluation_transform: What validation and test do to every image.
        tests: More test sets by name: the test images of a data set, or the samples of a generator that needs no real
            images. `setup` for training makes one image of each.
        test_size: Samples of each generator among them that has none stored.
        overlap: What to do about training images that are in the real test set too.
        eval_batch_size: Images in a batch of validation and test, for each process.
        num_workers: Worker processes. They pay off for real images that stay on disk.
        seed: Seed of splits and draws; None for that of `--seed_everything`, or 0.

    Raises:
        ConfigError: If a number is out of range, or ratio and batch size do not fit.
    """

    sampler: TrainingSampler

    def __init__(
        self,
        dataset: ImageDataset,
        generator: ImageGenerator,
        ratio: tuple[int, int] | None = (1, 1),
        batch_size: int = 128,
        curriculum: dict[int, tuple[int, int]] | None = None,
        synthetic_size: int | None = None,
        steps_per_epoch: int | None = None,
        real_per_class: int | None = None,
        validation_per_class: int = 0,
        folds: int = 1,
        fold: int = 0,
        real_transform: Sequence[nn.Module] = (),
        synthetic_transform: Sequence[nn.Module] = (),
        evaluation_transform: Sequence[nn.Module] = (),
        tests: dict[str, ImageGenerator | ImageDataset] | None = None,
        test_size: int = 1000,
        overlap: Overlap = "stop",
        eval_batch_size: int = 100,
        num_workers: int = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(evaluation_transform, test_size, eval_batch_size, num_workers, seed)
        if ratio is None and curriculum:
            raise ConfigError("A curriculum changes the ratio, and there is none: set ratio.")
        if min(curriculum or [1]) < 1:
            raise ConfigError("Epoch 0 is trained with ratio: a curriculum names epochs from 1 on.")
        if "real" in (tests or {}):
            raise ConfigError("The test set 'real' is the data set's own: give those in tests other names.")
        self.dataset, self.generator, self.batch_size = dataset, generator, batch_size
        stages = {} if ratio is None else {0: ratio, **(curriculum or {})}
        self.counts = {epoch: split_batch(batch_size, stage) for epoch, stage in stages.items()}
        self.synthetic_size, self.steps_per_epoch = synthetic_size, steps_per_epoch
        self.parts_per_class = {"validation": validation_per_class, "train": real_per_class}
        self.folds, self.fold, self.overlap = folds, fold, overlap
        self.transforms = {_REAL: real_transform, _SYNTHETIC: synthetic_transform}
        self.tests = tests or {}
        self.kept: LabelledImages | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.dataset.classes

    def setup(self, stage: str | None = None) -> None:
        """Loads and splits the real images, draws the fixed sets and makes the sampler; looks at each test set.

        Raises:
            DatasetNotFoundError: If files are missing, those of a test set too.
            DatasetError: If an image is in training and in the test set.
            ConfigError: If the splits, the classes or the image sizes do not fit together, or a generator in `tests`
                needs real images.
        """
        for name, source in self.tests.items():
            self._check_classes(source.classes, f"the test set {name!r}")  # now, not after the training
        if stage in ("test", "predict"):
            sources = {"real": self.dataset, **self.tests}
            self.sets = {name: self.evaluation_set(source) for name, source in sources.items()}
            return
        test = self._set_up_images()
        self._check_classes(self.generator.classes, "the generator")
        self.fixed_set, self.kept = fixed_set(self.generator, self.synthetic_size, self.seed), None
        self.sampler = self.make_sampler(*self.ranks)
        shape = self._check_shapes()
        check_image(RealSet(test, self.evaluation_transform), "the test set 'real'", shape, any_size=True)
        self.check_tests(self.tests, shape, any_size=True)

    def _set_up_images(self) -> Labelled:
        """Returns the test images, which are loaded to compare with."""
        images = fold_of(self.dataset.load("train"), self.folds, self.fold, self.seed)
        parts: dict[str, Labelled] = dict(split_by_class(images, self.parts_per_class, self.seed))
        if not self.parts_per_class["validation"] and "validation" in self.dataset.splits:
            parts["validation"] = self.dataset.load("validation")
        test = self.dataset.load("test")
        self.train_images = without_leaks(parts["train"], test, self.overlap)
        held_out = without_leaks(parts["validation"], test, self.overlap)
        self.sets = {"validation": RealSet(held_out, self.evaluation_transform)}
        if isinstance(self.train_images, LabelledImages):
            self.generator.bind(self.train_images)
        return test

    def _check_classes(self, others: Sequence[str], whose: str) -> None:
        if tuple(others) != self.classes:
            raise ConfigError(
                f"The classes of {whose} are not those of the real images, in the same order: "
                f"{', '.join(others)}; real: {', '.join(self.classes)}."
            )

    def make_sampler(self, rank: int, world_size: int) -> TrainingSampler:
        """Returns the sampler of the training batches; `setup` calls it once the images are there.

        Raises:
            ConfigError: If such batches cannot be drawn.
        """
        fixed, num_real = self.fixed_set, len(self.train_images)
        if self.counts:
            source = self.generator.space if fixed is None else fixed
            return MixingSampler(source, num_real, self.counts, self.steps_per_epoch, self.seed, rank, world_size)
        if fixed is None:
            raise ConfigError("Images that are made new have no number to be in proportion to: set synthetic_size.")
        return ConcatenationSampler(fixed, num_real, self.batch_size, self.steps_per_epoch, self.seed, rank, world_size)

    def _check_shapes(self) -> list[int]:
        """Makes one image of each domain that is used, as training would see it, and returns their shape."""
        one, fixed = torch.zeros(1, dtype=torch.int64), self.fixed_set
        held = (len(self.train_images), len(fixed["bucket"]) if fixed else 0)
        real, synthetic = (any(column) for column in zip(*(self.counts.values() or [held]), strict=True))
        made: list[Batch] = []
        if real:
            made.append(self._real(with_pixels(self.train_images, {"real": one}), 0))
        if synthetic:
            draws = select_draws(fixed, one) if fixed else even_draws(self.generator.space, 1, [self.seed])
            made.append(self._synthetic(draws, 0))
        shapes = [list(batch["image"].shape[1:]) for batch in made]
        if len(shapes) == 2 and shapes[0] != shapes[1]:
            raise ConfigError(
                f"After their transforms real images are {shapes[0]} [C, H, W], synthetic ones {shapes[1]}: "
                "set both to one size."
            )
        return shapes[0]

    def train_dataloader(self) -> DataLoader[Draws]:
        """Batches of draws; the images of a fixed set are made here, once.

        Raises:
            ConfigError: If Lightning would replace the sampler on several processes.
        """
        if self.fixed_set is not None and len(self.fixed_set["bucket"]) and self.generator.stored() is None:
            device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
            bar = self.trainer is not None and self.trainer.progress_bar_callback is not None
            self.kept = make_once(self.generator, self.fixed_set, device, bar)
        return self.training_loader(self.train_images)

    def val_dataloader(self) -> DataLoader[Draws] | dict[str, DataLoader[Draws]] | list[DataLoader[Draws]]:
        """Real images held out for validation; no loader if there are none."""
        return self.evaluation_loader("validation") if len(self.sets["validation"]) else []

    def predict_dataloader(self) -> DataLoader[Draws]:
        """The real test set."""
        return self.evaluation_loader("real")

    def training_batch(self, draws: Draws) -> Batch:
        """See `DrawnDataModule.training_batch`."""
        return self.assemble(draws, self.sampler.trained - 1)

    def assemble(self, draws: Draws, step: int) -> Batch:
        """Returns the real and the synthetic images that draws ask for, transformed; real ones first.

        Args:
            draws: A training batch.
            step: Its number in the epoch, from 0, which the transforms' random choices depend on.
        """
        wanted = ((self._real, draws["real"]), (self._synthetic, draws["bucket"]))
        return join([make(draws, step) for make, rows in wanted if len(rows)])

    def _real(self, draws: Draws, step: int) -> Batch:
        self.train_images = self.train_images.to(draws["real"].device)
        return self.transformed(real_rows(self.train_images, draws), self.transforms[_REAL], _REAL, step)

    def _synthetic(self, draws: Draws, step: int) -> Batch:
        if self.kept is not None:
            self.kept = self.kept.to(draws["index"].device)
            made = synthetic_batch(self.kept.pixels(draws["index"]), self.kept.labels[draws["index"]], draws)
        else:
            made = self.generator.generate(draws, draws["bucket"].device)
        return self.transformed(made, self.transforms[_SYNTHETIC], _SYNTHETIC, step)

    def preview(self, count: int = 2000) -> Batch:
        """Returns the first `count` images that training would see, or a few more. Needs no trainer."""
        batches: list[Batch] = []
        for draws in self.sampler:
            batches.append(self.assemble(with_pixels(self.train_images, draws), len(batches)))
            if sum(len(batch["label"]) for batch in batches) >= count:
                break
        return join(batches)

    def fingerprint(self) -> dict[str, str]:
        """Returns the SHA-256 of the real images, of the fixed synthetic set, and of each set that is scored."""
        place = "test/" if "real" in self.sets else ""
        prints = {place + name: held.fingerprint() for name, held in self.sets.items() if len(held)}
        if hasattr(self, "sampler"):
            prints["train"] = self.train_images.fingerprint()
            if self.fixed_set is not None:
                prints["synthetic"] = digest(self.generator, self.fixed_set)
        return prints
