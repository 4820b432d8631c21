"""CIFAR-10 and CIFAR-100 from their binary versions (https://www.cs.toronto.edu/~kriz/cifar.html)."""

import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import UInt8
from torchvision.datasets.utils import download_and_extract_archive

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_FINE_LABELS = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""


class _Cifar(ImageDataset):
    """What both have in common: rows of label bytes, then the red, green and blue plane, 1,024 bytes each."""

    name: str
    folder: str
    url: str
    md5: str
    files: ClassVar[dict[str, tuple[str, ...]]]
    """Files of each split."""
    label_counts: tuple[int, ...]
    """How many values each label byte of a row can have. The last of them is the class."""
    all_classes: tuple[str, ...]

    def __init__(self, root: str = "data", classes: list[str] | None = None, download: bool = False) -> None:
        self.classes = self.all_classes if classes is None else tuple(classes)
        unknown = [name for name in self.classes if name not in self.all_classes]
        if unknown or not self.classes or len(set(self.classes)) < len(self.classes):
            raise ConfigError(
                f"classes must be one or more different names out of {', '.join(self.all_classes)}; not {classes}."
            )
        self.root, self.download = Path(root), download

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`. The images keep the files' order.

        Raises:
            ConfigError: If the split is "validation": there is none.
            DatasetNotFoundError: If a file is missing, or cannot be downloaded.
            DatasetError: If a file is cut short or holds an impossible label.
        """
        self.check_split(split)
        paths = [self.root / self.folder / file for file in self.files[split]]
        if self.download and not all(path.is_file() for path in paths):
            self._fetch()
        rows = np.concatenate([self._read(path) for path in paths])
        labels = self._relabel()[rows[:, len(self.label_counts) - 1]]
        pixels = rows[labels >= 0, len(self.label_counts) :].reshape(-1, *_SHAPE)
        return LabelledImages(torch.from_numpy(pixels), torch.from_numpy(labels[labels >= 0]), self.classes)

    def _relabel(self) -> np.ndarray:
        """Label of each of the files' classes, -1 for those that are left out."""
        labels = np.full(len(self.all_classes), -1)
        labels[[self.all_classes.index(name) for name in self.classes]] = np.arange(len(self.classes))
        return labels

    def _read(self, path: Path) -> UInt8[np.ndarray, "n row"]:
        if not path.is_file():
            raise self._not_found(path)
        data = np.fromfile(path, np.uint8)
        width = len(self.label_counts) + _PIXELS
        if not len(data) or len(data) % width:
            raise DatasetError(
                f"{path}: {len(data)} bytes are no whole number of rows of {width}. It is cut short or no file of "
                f"{self.name}'s binary version: replace it by the one in {self.url}."
            )
        rows = data.reshape(-1, width)
        wrong = rows[:, : len(self.label_counts)] >= self.label_counts
        if wrong.any():
            row, byte = np.argwhere(wrong)[0]
            raise DatasetError(
                f"{path}: byte {byte} of row {row} is {rows[row, byte]}, but that label is 0 to "
                f"{self.label_counts[byte] - 1}. It is no file of {self.name}'s binary version, or damaged: replace it "
                f"by the one in {self.url}."
            )
        return rows

    def _fetch(self) -> None:
        """Unpacks the archive beside the folder, then moves one whole file after another into it."""
        folder = self.root / self.folder
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{self.folder}.", dir=self.root) as beside:
                download_and_extract_archive(self.url, beside, md5=self.md5)
                folder.mkdir(exist_ok=True)
                for file in (Path(beside) / self.folder).iterdir():
                    file.replace(folder / file.name)
        except (OSError, RuntimeError) as error:  # RuntimeError: torchvision's for a wrong MD5 sum
            raise self._not_found(folder, f"The download failed ({error}). ") from error

    def _not_found(self, path: Path, reason: str = "") -> DatasetNotFoundError:
        kind = type(self).__name__
        return DatasetNotFoundError(
            self.name,
            str(path),
            f"{reason}Unpack {self.url} in {self.root}, set root to the folder that holds {self.folder}/, or get it "
            f'once with: python -c "from {__name__} import {kind}; '
            f"{kind}({str(self.root)!r}, download=True).load('train')\"",
        )


class Cifar10(_Cifar):
    """50,000 training and 10,000 test photos of ten classes, 32 × 32 pixels, RGB (Krizhevsky 2009).

    Args:
        root: Folder that holds (or gets) `cifar-10-batches-bin/` with `data_batch_1.bin` to `data_batch_5.bin` and
            `test_batch.bin`: the binary version, since the Python version is pickled.
        classes: Classes to keep; labels follow this order. None for all, in the files' order.
        download: Fetch the files if they are missing, and check their MD5 sum.

    Raises:
        ConfigError: If `classes` is empty, or names one twice or one that does not exist.
    """

    name = "CIFAR-10"
    folder = "cifar-10-batches-bin"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    md5 = "c32a1d4ab5d03f1284b67883e8d87530"
    files: ClassVar = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
    label_counts = (10,)
    all_classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Cifar100(_Cifar):
    """500 training and 100 test photos of each of 100 fine classes, 32 × 32 pixels, RGB (Krizhevsky 2009).

    Args:
        root: Folder that holds (or gets) `cifar-100-binary/` with `train.bin` and `test.bin`: the binary version, since
            the Python version is pickled.
        classes: Fine classes to keep; labels follow this order. None for all, in the files' order.
        download: Fetch the files if they are missing, and check their MD5 sum.

    Raises:
        ConfigError: If `classes` is empty, or names one twice or one that does not exist.
    """

    name = "CIFAR-100"
    folder = "cifar-100-binary"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
    md5 = "03b5dce01913d631647c71ecec9e9cb8"
    files: ClassVar = {"train": ("train.bin",), "test": ("test.bin",)}
    label_counts = (20, 100)
    all_classes = tuple(_FINE_LABELS.split())
