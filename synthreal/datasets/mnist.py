"""MNIST from the official files, through torchvision."""

from pathlib import Path

from torchvision import datasets

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.errors import DatasetError, DatasetNotFoundError

_FILES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


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
        """See `ImageDataset.load`.

        Raises:
            DatasetError: If a file is damaged.
        """
        self.check_split(split)
        raw = Path(self.root) / "MNIST" / "raw"
        try:
            data = datasets.MNIST(self.root, train=split == "train", download=self.download)
            return LabelledImages(data.data[:, None], data.targets.long(), self.classes)
        except (RuntimeError, AssertionError, ValueError, TypeError, KeyError) as error:
            if all((raw / name).is_file() for name in _FILES):
                raise DatasetError(
                    f"MNIST: a file in {raw} is damaged. Remove the four *-ubyte files, and get them again."
                ) from error
            raise DatasetNotFoundError(
                "MNIST",
                str(raw),
                "Put the four *-ubyte files there, set root to the folder that holds MNIST/, or get them once with: "
                f"python -c \"from torchvision.datasets import MNIST; MNIST('{self.root}', download=True)\"",
            ) from error
