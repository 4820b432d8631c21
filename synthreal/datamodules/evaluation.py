"""Sets that a model is scored on: real images, or samples of a generator that stay the same."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from synthreal.batch import Batch, Draws, numbered
from synthreal.datamodules.loading import evaluation_loader, loader_in_order, real_rows, with_pixels
from synthreal.datamodules.transforms import transform
from synthreal.datasets.base import Labelled
from synthreal.generators import ImageGenerator
from synthreal.generators.fingerprint import digest
from synthreal.samplers import even_draws

# A random stream of its own, the same in every run: all models are scored on the same samples. One number would be the
# stream of a training set that is made with that seed.
_SAMPLES = (0, 30)


class EvaluationSet(ABC):
    """Images with labels that are the same in every run.

    Args:
        steps: What is done to every image.

    Attributes:
        classes: Name of each label.
    """

    classes: tuple[str, ...]

    def __init__(self, steps: Sequence[nn.Module]) -> None:
        self.steps = steps

    @abstractmethod
    def __len__(self) -> int:
        """Returns the number of images."""

    @abstractmethod
    def loader(self, size: int, num_workers: int, trainer: Trainer | None) -> DataLoader[Draws]:
        """Returns a loader of this process's share, `size` images at a time, each image once."""

    @abstractmethod
    def images(self, draws: Draws) -> Batch:
        """Returns the images of a batch of the loader, before the transforms."""

    @abstractmethod
    def select(self, index: Int[Tensor, " n"]) -> Draws:
        """Returns the draws of the images at `index`, as the loader would hand them over."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a SHA-256 of what the set holds."""

    def batch(self, draws: Draws) -> Batch:
        """Returns the images of a batch of the loader with their `index`, as the model sees them."""
        made = self.images(draws)
        made["index"] = draws["index"] if "index" in draws else draws["real"]
        return {**made, "image": transform(made["image"], self.steps)}

    def show(self, index: Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Returns images to look at, before the transforms, on the CPU."""
        return self.images(self.select(index))["image"]


class RealSet(EvaluationSet):
    """Real images.

    Args:
        held: The images.
        steps: What is done to every image.
    """

    def __init__(self, held: Labelled, steps: Sequence[nn.Module]) -> None:
        super().__init__(steps)
        self.held, self.classes = held, held.classes

    def __len__(self) -> int:
        return len(self.held)

    def loader(self, size: int, num_workers: int, trainer: Trainer | None) -> DataLoader[Draws]:
        """See `EvaluationSet.loader`."""
        return evaluation_loader(self.held, size, num_workers, trainer)

    def images(self, draws: Draws) -> Batch:
        """See `EvaluationSet.images`."""
        self.held = self.held.to(draws["real"].device)
        return real_rows(self.held, draws)

    def select(self, index: Int[Tensor, " n"]) -> Draws:
        """See `EvaluationSet.select`."""
        return with_pixels(self.held, {"real": index})

    def fingerprint(self) -> str:
        """See `EvaluationSet.fingerprint`."""
        return self.held.fingerprint()


class GeneratedSet(EvaluationSet):
    """Samples of a generator: all that it has stored, or `size` spread evenly over its space.

    Args:
        generator: Makes them, on the device.
        size: How many, if it has none stored.
        steps: What is done to every image.
    """

    def __init__(self, generator: ImageGenerator, size: int, steps: Sequence[nn.Module]) -> None:
        super().__init__(steps)
        self.generator, self.classes = generator, generator.classes
        stored = generator.stored()
        self.draws = even_draws(generator.space, size, _SAMPLES) if stored is None else stored

    def __len__(self) -> int:
        return len(self.draws["bucket"])

    def loader(self, size: int, num_workers: int, trainer: Trainer | None) -> DataLoader[Draws]:
        """See `EvaluationSet.loader`."""
        return loader_in_order(self.select(torch.arange(len(self))), size, num_workers, trainer)

    def images(self, draws: Draws) -> Batch:
        """See `EvaluationSet.images`."""
        return self.generator.generate(draws, draws["bucket"].device)

    def select(self, index: Int[Tensor, " n"]) -> Draws:
        """See `EvaluationSet.select`."""
        return numbered(self.draws, index)

    def fingerprint(self) -> str:
        """See `EvaluationSet.fingerprint`."""
        return digest(self.generator, self.draws)
