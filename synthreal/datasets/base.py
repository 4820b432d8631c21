"""The contract of every real data set that fits in memory."""

from abc import ABC, abstractmethod
from typing import Literal

from synthreal.batch import LabelledImages

Split = Literal["train", "test"]


class ImageDataset(ABC):
    """A training set and a test set of labelled images.

    Attributes:
        classes: Name of each class; labels are indices into it.
    """

    classes: tuple[str, ...]

    @abstractmethod
    def load(self, split: Split) -> LabelledImages:
        """Returns the images of a split.

        Raises:
            DatasetNotFoundError: If the files are missing.
        """
