"""Paired images, objects and their foregrounds, as triplet sets or plain batches, in phases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.data import DataLoader

from synthreal.batch import SET_SIZE, Batch, Draws, join, select_draws
from synthreal.datamodules.checks import check_image
from synthreal.datamodules.drawn import DrawnDataModule
from synthreal.datamodules.evaluation import GeneratedSet
from synthreal.datamodules.fixed import fixed_set
from synthreal.datasets import ImageDataset
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.generators.fingerprint import digest
from synthreal.generators.lighting import LIGHT_COLUMNS
from synthreal.samplers import ConcatenationSampler, PhasedSampler, TripletSampler, TripletTable
from synthreal.samplers.epochs import EpochSampler

_GALLERY, _TRANSFORM = 26, 27  # random streams of their own: those of the unpaired data end at 25


@dataclass(frozen=True)
class Phase:
    """A stretch of training.

    Args:
        generator: Makes images with their foregrounds (`semantic`).
        size: Size of the fixed set of its samples that are trained on; None for all that it has stored.
        sets: Draw triplet sets; False draws plain batches.
        epochs: Length; the last phase goes on to the end of training.
    """

    generator: ImageGenerator
    size: int | None = None
    sets: bool = True
    epochs: int = 1


class ForegroundDataModule(DrawnDataModule):
    """Batches of objects in front of backgrounds, with what a network is to find in them (GM-CML, sec. III and V).

    The paper has three phases: triplet sets without backgrounds, triplet sets with backgrounds, and plain batches of
    close shots. Images are made on the device, from draws, or come from disk by `StoredPairs`.

    Args:
        phases: One after the other.
        tests: Test sets by name: the test images of a data set, or the samples of a generator that needs no real
            images. `setup` for training makes one image of each.
        validation: Where validation images come from; None for no validation.
        batch_size: Images in a batch, over all processes; triplet sets have five each.
        steps_per_epoch: Batches in an epoch.
        far: Geodesic distance from which on a pose is far, degrees, 1 to 180.
        gallery_size: Training images of the last phase that nearest neighbours are looked for among.
        synthetic_transform: What training does to images, not to their foregrounds, so nothing that moves the object:
            kornia's colours, blur and noise by class path.
        test_size: Samples of each generator that is tested or validated on and has none stored.
        evaluation_transform: What validation and test do to every image.
        eval_batch_size: Images in a batch of validation and test, for each process.
        num_workers: Worker processes.
        seed: Seed of splits and draws; None for that of `--seed_everything`, or 0.

    Raises:
        ConfigError: If a number is out of range, or there is no phase.
    """

    sampler: PhasedSampler

    def __init__(
        self,
        phases: list[Phase],
        tests: dict[str, ImageGenerator | ImageDataset] | None = None,
        validation: ImageGenerator | None = None,
        batch_size: int = 80,
        steps_per_epoch: int = 100,
        far: float = 45.0,
        gallery_size: int = 1000,
        synthetic_transform: Sequence[nn.Module] = (),
        test_size: int = 1000,
        evaluation_transform: Sequence[nn.Module] = (),
        eval_batch_size: int = 100,
        num_workers: int = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(evaluation_transform, test_size, eval_batch_size, num_workers, seed)
        if not phases:
            raise ConfigError("There is nothing to train on: give at least one phase.")
        if batch_size < 1 or (batch_size % SET_SIZE and any(phase.sets for phase in phases)):
            raise ConfigError(
                f"Triplet sets have {SET_SIZE} images: batch_size is a multiple of {SET_SIZE}, not {batch_size}."
            )
        if gallery_size < 1:
            raise ConfigError(f"gallery_size is at least 1, not {gallery_size}.")
        self.phases, self.tests, self.validation = phases, tests or {}, validation
        self.batch_size, self.steps_per_epoch, self.far = batch_size, steps_per_epoch, far
        self.gallery_size, self.synthetic_transform = gallery_size, synthetic_transform
        self._drawn: dict[int, Draws] = {}
        self._testing = False  # what `sets` are for

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.phases[0].generator.classes

    def setup(self, stage: str | None = None) -> None:
        """Draws the fixed sets, makes the sampler and looks at each set that is scored; or makes those for the test.

        Raises:
            DatasetNotFoundError: If files are missing, those of a test set too.
            DatasetError: If the samples allow no triplet sets.
            ConfigError: If there is nothing to test on, classes or image sizes differ, a generator makes no pairs or
                needs real images, or batches do not divide among the processes.
        """
        others = {f"the test set {name!r}": source.classes for name, source in self.tests.items()}
        others |= {f"phase {number + 1}": phase.generator.classes for number, phase in enumerate(self.phases)}
        others |= {} if self.validation is None else {"validation": self.validation.classes}
        for whose, classes in others.items():
            self._check_classes(whose, classes)
        self._testing = stage in ("test", "predict")
        if self._testing:
            if not self.tests:
                raise ConfigError("There is nothing to test on: set tests.")
            self.sets = {name: self.evaluation_set(source) for name, source in self.tests.items()}
            return
        self.sets = {} if self.validation is None else {"validation": self.evaluation_set(self.validation)}
        samplers = [self._sampler(number) for number in range(len(self.phases))]
        self.sampler = PhasedSampler(samplers, [phase.epochs for phase in self.phases])
        shape = [self._check_pair(number) for number in range(len(self.phases))][-1]
        for held in self.sets.values():
            check_image(held, "the validation set", shape)
        self.check_tests(self.tests, shape)

    def _check_classes(self, whose: str, classes: Sequence[str]) -> None:
        if tuple(classes) != self.classes:
            raise ConfigError(
                f"The classes of {whose} are not those of the first phase, in the same order: {', '.join(classes)}; "
                f"first phase: {', '.join(self.classes)}."
            )

    def _check_pair(self, number: int) -> list[int]:
        """Makes one pair of a phase, as training would see it, and returns the image's shape."""
        made = self._make(select_draws(self.draws(number), torch.zeros(1, dtype=torch.int64)), number, 0)
        if "semantic" not in made or made["semantic"].shape != made["image"].shape:
            raise ConfigError(
                f"Phase {number + 1}: {type(self.phases[number].generator).__name__} makes no foreground to go with "
                "its images. Give outputs: [semantic] to MeshImages, or take Painted or StoredPairs; "
                "synthetic_transform must keep the images' shape."
            )
        return list(made["image"].shape[1:])

    def draws(self, number: int) -> Draws:
        """Returns the draws of a phase's fixed set.

        Raises:
            ConfigError: If the phase has no size, and its generator nothing stored.
        """
        if number not in self._drawn:
            phase = self.phases[number]
            drawn = fixed_set(phase.generator, phase.size, self.seed)
            if drawn is None:
                raise ConfigError(f"Phase {number + 1} needs a size: its generator has no stored images.")
            self._drawn[number] = drawn
        return self._drawn[number]

    def _sampler(self, number: int) -> EpochSampler:
        draws, phase, steps = self.draws(number), self.phases[number], self.steps_per_epoch
        rank, world_size = self.ranks
        if not phase.sets:
            return ConcatenationSampler(draws, 0, self.batch_size, steps, self.seed, rank, world_size)
        label, viewpoint, light = _annotations(phase.generator, draws)
        table = TripletTable(label, viewpoint, light, len(self.classes), self.far)
        return TripletSampler(draws, table, self.batch_size // SET_SIZE, steps, self.seed, rank, world_size)

    @property
    def gallery(self) -> GeneratedSet:
        """Training images of the last phase, as validation would see them, for nearest neighbours."""
        last = len(self.phases) - 1
        draws = self.draws(last)
        order = np.random.default_rng([self.seed, _GALLERY]).permutation(len(draws["bucket"]))[: self.gallery_size]
        held = GeneratedSet(self.phases[last].generator, 0, self.evaluation_transform)
        held.draws = select_draws(draws, torch.from_numpy(np.sort(order)))
        return held

    def train_dataloader(self) -> DataLoader[Draws]:
        """Batches of draws."""
        return self.training_loader()

    def val_dataloader(self) -> DataLoader[Draws] | list[DataLoader[Draws]]:
        """Validation images; no loader if there are none."""
        return self.evaluation_loader("validation") if self.sets else []

    def training_batch(self, draws: Draws) -> Batch:
        """See `DrawnDataModule.training_batch`."""
        return self._make(draws, draws["phase"], self.sampler.trained - 1)

    def _make(self, draws: Draws, number: int, step: int) -> Batch:
        made = self.phases[number].generator.generate(draws, draws["bucket"].device)
        made = self.transformed(made, self.synthetic_transform, _TRANSFORM, step)
        return {**made, "role": draws["role"]} if "role" in draws else made

    def preview(self, count: int = 2000) -> Batch:
        """Returns image, semantic, label and domain of some `count` samples, the phases in turn. Needs no trainer."""
        batches: list[Batch] = []
        places: list[Tensor] = []
        for number in range(len(self.phases)):
            draws = self.draws(number)
            held, wanted = len(draws["bucket"]), max(count // len(self.phases), 1)
            rows = torch.linspace(0, held - 1, min(wanted, held)).long()
            parts = enumerate(rows.split(self.batch_size))
            made = [self._make(select_draws(draws, part), number, step) for step, part in parts]
            # Other columns may differ from phase to phase.
            batches += [{key: batch[key] for key in ("image", "semantic", "label", "domain")} for batch in made]  # type: ignore
            places.append(torch.arange(len(rows)))
        order = torch.cat(places).argsort(stable=True)
        return Batch(**{key: table[order] for key, table in join(batches).items()})  # type: ignore

    def fingerprint(self) -> dict[str, str]:
        """Returns the SHA-256 of each phase's fixed set, and of each set that is scored."""
        place = "test/" if self._testing else ""
        prints = {place + name: held.fingerprint() for name, held in self.sets.items()}
        if hasattr(self, "sampler"):
            phases = enumerate(self.phases)
            prints |= {f"phase {number + 1}": digest(phase.generator, self.draws(number)) for number, phase in phases}
        return prints


def _annotations(
    generator: ImageGenerator, draws: Draws
) -> tuple[Int[Tensor, " n"], Float[Tensor, "n 3"], Float[Tensor, "n l"] | None]:
    """Class, viewpoint and light of each sample, of the columns that the generator's space has for them."""
    columns = dict(zip(generator.space.columns, draws["parameters"].unbind(1), strict=True))
    if "rotation" in columns:  # of a flat object
        columns["tilt"] = columns["rotation"]
    angles = ("azimuth", "elevation", "tilt")
    if not columns.keys() & set(angles):
        raise ConfigError(
            f"{type(generator).__name__} does not say from where an object is seen: triplet sets need one of the "
            f"columns {', '.join(angles)} or rotation, and it has {', '.join(generator.space.columns)}. "
            "Set sets: false."
        )
    label = columns["class"].long()
    viewpoint = torch.stack([columns.get(name, torch.zeros_like(columns["class"])) for name in angles], 1)
    light = [columns[name] for name in LIGHT_COLUMNS if name in columns]
    return label, viewpoint, torch.stack(light, 1) if light else None
