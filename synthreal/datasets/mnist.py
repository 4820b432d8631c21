"""MNIST from the official files, through torchvision."""

from pathlib import Path

from torchvision import datasets

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.errors import DatasetNotFoundError


class MNIST(ImageDataset):
    """60,000 training and 10,000 test digits of 28 × 28 pixels.

    Args:
        root: Folder that holds (or gets) `MNIST/raw/*-ubyte`.
        download: Fetch the files if they are missing.
    """

    classes = tuple("0123456789")

    def __init__(self, root: str = "data", download: bool = False) -> None:
        self.root, self.download = root, download

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`."""
        self.check_split(split)
        try:
            data = datasets.MNIST(self.root, train=split == "train", download=self.download)
        except RuntimeError as error:
            raise DatasetNotFoundError(
                "MNIST",
                str(Path(self.root) / "MNIST" / "raw"),
                "Put the four *-ubyte files there, set root to the folder that holds MNIST/, or get them once with: "
                f"python -c \"from torchvision.datasets import MNIST; MNIST('{self.root}', download=True)\"",
            ) from error
        return LabelledImages(data.data[:, None], data.targets.long(), self.classes)
