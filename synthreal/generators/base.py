"""The contract of every image generator g(U)."""

from abc import ABC, abstractmethod
from functools import cached_property

import torch

from synthreal.batch import Batch, Draws, LabelledImages
from synthreal.spaces import ParameterSpace


class ImageGenerator(ABC):
    """Makes a batch of images from a batch of draws.

    An image is a pure function of its draw's (bucket, parameters, seed): it must not depend on the rest of the
    batch, on a global random state or on the process that makes it.

    Attributes:
        space: Parameters that it takes, with units and ranges.
        num_classes: Number of labels that it makes.
    """

    space: ParameterSpace
    num_classes: int

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Name of each label: what the space calls it, the class being its first factor."""
        each = self.space.num_buckets // self.num_classes
        return tuple(self.space.describe(label * each)[0] for label in range(self.num_classes))

    def bind(self, source: LabelledImages) -> None:  # noqa: B027 most generators need no source
        """Receives the real images that a generator may start from. Called before the first draw.

        Raises:
            ConfigError: If the source does not suit the generator.
        """

    def name(self, draws: Draws) -> dict[str, list[str]]:
        """Returns names of what is in each image, such as its model's, for a manifest; most generators have none."""
        return {}

    def stored(self) -> Draws | None:
        """Returns the draw of every sample that there is, if the generator holds a finite number of them."""
        return None

    @abstractmethod
    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """Returns image [S, C, H, W] in [0, 1], label, domain, bucket and parameters for each of S draws."""
