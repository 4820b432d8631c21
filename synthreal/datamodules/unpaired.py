"""Real and synthetic images of the same classes side by side, for translation between the two domains."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.utils.data import DataLoader

from synthreal.batch import Batch, Draws, join
from synthreal.datamodules.evaluation import GeneratedSet, RealSet
from synthreal.datamodules.leaks import Overlap
from synthreal.datamodules.mixed import MixedDataModule
from synthreal.datasets import ImageDataset
from synthreal.datasets.by_class import by_label
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.samplers import AlignedSampler, class_draws

_VALIDATION, _EXAMPLES = 24, 25  # random streams of their own: those of `MixedDataModule` are below
_EXAMPLES_PER_CLASS, _MOST_EXAMPLES = 4, 32


class UnpairedDataModule(MixedDataModule):
    """Each training batch holds real images, then as many synthetic ones of the same classes (MrGAN, appendix 5).

    With n rows of each domain `label[:n]` equals `label[n:]`; apart from the class the two images of a row have nothing
    to do with each other. Synthetic images are always new draws; of a generator with stored images, any of the class.
    `test` scores the real test set ("real"), every set in `tests`, and samples of the training generator ("synthetic").

    Args:
        dataset: Real images.
        generator: Makes synthetic ones, or hands out stored ones. Its classes are those of the real images.
        batch_size: Images of each domain in a batch, over all processes. The paper's is 32 at 256 pixels, 144 at
            CIFAR's size.
        steps_per_epoch: Batches in an epoch; None for one pass over the real images.
        real_per_class: Real training images of each class; None for all.
        validation_per_class: Real training images of each class held out for validation, beside as many synthetic ones;
            0 for no validation, also if the data set has images for it: a translation has no score to choose by.
        real_transform: What training does to real images, in order: kornia's augmentations by class path.
        synthetic_transform: The same for synthetic images.
        evaluation_transform: What validation, test and `examples` do to every image.
        tests: More test sets by name: the test images of a data set, or the samples of a generator that needs no real
            images. One of the name "synthetic" takes the place of the training generator's samples.
        test_size: Samples of each generator that is tested on and has none stored.
        overlap: What to do about training images that are in the real test set too.
        eval_batch_size: Images in a batch of validation and test, for each process.
        num_workers: Worker processes. They pay off for real images that stay on disk.
        seed: Seed of splits and draws; None for that of `--seed_everything`, or 0.

    Raises:
        ConfigError: If a number is out of range.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        generator: ImageGenerator,
        batch_size: int = 32,
        steps_per_epoch: int | None = None,
        real_per_class: int | None = None,
        validation_per_class: int = 0,
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
        if batch_size < 1:
            raise ConfigError(f"batch_size, the images of each domain in a batch, is at least 1, not {batch_size}.")
        super().__init__(
            dataset,
            generator,
            ratio=(1, 1),
            batch_size=2 * batch_size,
            steps_per_epoch=steps_per_epoch,
            real_per_class=real_per_class,
            validation_per_class=validation_per_class,
            real_transform=real_transform,
            synthetic_transform=synthetic_transform,
            evaluation_transform=evaluation_transform,
            tests=tests,
            test_size=test_size,
            overlap=overlap,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            seed=seed,
        )
        self.batch_size = batch_size
        self._example_sets: tuple[RealSet, GeneratedSet] | None = None
        self._examples: Batch | None = None

    @property
    def examples(self) -> Batch:
        """Images to look at, the same ones throughout: up to 4 pairs of each class, and up to 32 pairs in all.

        Real training images, then as many synthetic ones of the same classes, on the CPU, as validation would see them.
        There after `setup` for training.
        """
        if self._examples is None:
            if self._example_sets is None:
                raise ConfigError('The examples are training images: call setup("fit") first.')
            made = [held.batch(held.select(torch.arange(len(held)))) for held in self._example_sets]
            self._examples = join(made)
        return self._examples

    def setup(self, stage: str | None = None) -> None:
        """See `MixedDataModule.setup`.

        Raises:
            DatasetNotFoundError: If files are missing.
            DatasetError: If an image is in training and in the test set, or a class has no synthetic image.
            ConfigError: If the splits, the classes or the image sizes do not fit together, or a class has no real
                image.
        """
        self._check_classes(self.generator.classes, "the generator")
        sampled = stage == "test" and "synthetic" not in self.tests
        if sampled and not hasattr(self, "train_images"):
            self._set_up_images()  # the generator may start from them
        super().setup(stage)
        if sampled:
            self.sets["synthetic"] = self.evaluation_set(self.generator)
        elif stage not in ("test", "predict"):
            self._pair_validation()
            self._choose_examples()

    def make_sampler(self, rank: int, world_size: int) -> AlignedSampler:
        """See `MixedDataModule.make_sampler`."""
        labels = self.train_images.labels
        count = torch.bincount(labels, minlength=len(self.classes)).tolist()
        empty = [name for name, held in zip(self.classes, count, strict=True) if not held]
        if empty:
            raise ConfigError(
                f"The classes {empty} have no real training image to go with the synthetic ones: "
                "add some, or leave these classes out."
            )
        space, pairs = self.generator.space, self.batch_size
        return AlignedSampler(
            space, len(self.classes), labels, pairs, self.steps_per_epoch, self.seed, rank, world_size
        )

    def _pair_validation(self) -> None:
        held_out = self.sets["validation"]
        if not self.parts_per_class["validation"] or not len(held_out):
            self.sets = {}
            return
        assert isinstance(held_out, RealSet)  # `MixedDataModule` makes it
        # "synthetic" would be the fixed set's name in the fingerprint.
        self.sets["validation_synthetic"] = self._samples(held_out.held.labels, _VALIDATION)

    def _choose_examples(self) -> None:
        table = by_label(self.train_images.labels, len(self.classes))
        each = min(max(_MOST_EXAMPLES // len(self.classes), 1), _EXAMPLES_PER_CLASS)
        chosen = self.train_images.select(table.order[table.numbers() < each][:_MOST_EXAMPLES])
        real = RealSet(chosen, self.evaluation_transform)
        self._example_sets, self._examples = (real, self._samples(chosen.labels, _EXAMPLES)), None

    def _samples(self, label: Int[Tensor, " n"], purpose: int) -> GeneratedSet:
        """A sample of the generator for each label, also if it has more stored."""
        held = GeneratedSet(self.generator, 0, self.evaluation_transform)
        held.draws = class_draws(self.generator.space, len(self.classes), label, [self.seed, purpose])
        return held

    def val_dataloader(self) -> dict[str, DataLoader[Draws]] | list[DataLoader[Draws]]:
        """Real images held out for validation, and as many synthetic ones; no loader if none are held out."""
        return {name: self.evaluation_loader(name) for name in self.sets} or []
