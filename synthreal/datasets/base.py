"""The contract of every real data set."""

from abc import ABC, abstractmethod
from typing import Literal

from synthreal.batch import LabelledImages
from synthreal.datasets.files import LabelledFiles
from synthreal.errors import ConfigError

Split = Literal["train", "validation", "test"]
Labelled = LabelledImages | LabelledFiles
"""Labelled images in memory, or in files that are decoded when they are drawn."""


class ImageDataset(ABC):
    """A training set and a test set of labelled images, and a validation set if `splits` names one.

    Attributes:
        classes: Name of each class; labels are indices into it.
        splits: The sets that there are.
    """

    classes: tuple[str, ...]
    splits: tuple[Split, ...] = ("train", "test")

    def check_split(self, split: Split) -> None:
        """Refuses a split that there is not.

        Raises:
            ConfigError: If `splits` does not name it.
        """
        if split not in self.splits:
            raise ConfigError(f"{type(self).__name__} has the splits {', '.join(self.splits)}, but not {split!r}.")

    @abstractmethod
    def load(self, split: Split) -> Labelled:
        """Returns the images of a split.

        Raises:
            ConfigError: If there is no such split.
            DatasetNotFoundError: If the files are missing.
            DatasetError: If they are there, but not what they should be.
        """


def in_memory(images: Labelled) -> LabelledImages:
    """Returns images that must be in memory.

    Raises:
        ConfigError: If they stay on disk.
    """
    if isinstance(images, LabelledFiles):
        raise ConfigError("The images stay on disk, but are needed in memory here: set keep to memory.")
    return images
