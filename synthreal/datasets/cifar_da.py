"""CIFAR-DA9 and CIFAR-DA4: a few CIFAR photos of things that 3D models exist of (mixing paper, sec. 3.3 and 4.3)."""

import csv
import hashlib
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.datasets.cifar import Cifar10, Cifar100
from synthreal.errors import ConfigError, DatasetError
from synthreal.files import replacing

Sources = dict[str, list[str]]
"""Classes of `cifar10` and of `cifar100` that make up one class."""

DA9: dict[str, Sources] = {
    "airplane": {"cifar10": ["airplane"]},
    "car": {"cifar10": ["automobile"]},
    "bicycle": {"cifar100": ["bicycle"]},
    "bus": {"cifar100": ["bus"]},
    "horse": {"cifar10": ["horse"]},
    "motorcycle": {"cifar100": ["motorcycle"]},
    "person": {"cifar100": ["baby", "boy", "girl", "man", "woman"]},
    "train": {"cifar100": ["train"]},
    "truck": {"cifar10": ["truck"]},
}
"""Classes of CIFAR-DA9."""

# The paper takes all four from CIFAR-100, which has no car.
DA4: dict[str, Sources] = {name: DA9[name] for name in ("car", "bicycle", "motorcycle", "train")}
"""Classes of CIFAR-DA4."""

_CIFAR = {"cifar10": Cifar10, "cifar100": Cifar100}
_PARTS: dict[Split, Split] = {"train": "train", "validation": "test", "test": "test"}
"""Which split of CIFAR each split is drawn from."""
_GROUP = ["split", "class", "source", "source_class"]
_COLUMNS = [*_GROUP, "row", "sha256"]


class CifarDA(ImageDataset):
    """Photos of CIFAR-10 and CIFAR-100, the same number of each class, with a validation split.

    Training images come from CIFAR's training splits, validation and test images from its test splits, no image twice.
    A class gets an equal share of each of its source classes. `seed` draws them, and a manifest keeps what was drawn:
    a CSV file with split, class, source, source_class, row in the source's split (from 0), and sha256 of the pixels.
    A manifest that is there is used and checked, never written over.

    The same seed draws the same images on any machine and with any other classes beside; fewer images are some of
    those that more would be, and the test images do not depend on `validation_per_class`. Where the manifest cannot
    be written, a warning says so, and the images are drawn again next time.

    Args:
        root: Folder that holds `cifar-10-batches-bin/` and `cifar-100-binary/`, see `Cifar10` and `Cifar100`.
        classes: Name of each class, and the classes of `cifar10` and `cifar100` that make it up.
        train_per_class: Training images of each class, at least 1.
        test_per_class: Test images of each class, at least 1.
        validation_per_class: Validation images of each class; 0 for no validation split.
        seed: Another seed, other images.
        manifest: Path of the manifest; None for `<root>/cifar-da<number of classes>-seed<seed>.csv`.

    Raises:
        ConfigError: If a class has no source, a source class does not exist or is used twice, or a count is out of
            range or does not divide among a class's source classes.
    """

    def __init__(
        self,
        root: str = "data",
        classes: dict[str, Sources] = DA9,
        train_per_class: int = 500,
        test_per_class: int = 50,
        validation_per_class: int = 50,
        seed: int = 0,
        manifest: str | None = None,
    ) -> None:
        if min(train_per_class, test_per_class) < 1 or validation_per_class < 0:
            raise ConfigError(
                "Images of each class are at least 1 for training and testing and 0 for validation, not "
                f"{train_per_class}, {test_per_class} and {validation_per_class}."
            )
        self.classes, self.root, self.seed = tuple(classes), root, seed
        self.manifest = Path(manifest or Path(root) / f"cifar-da{len(classes)}-seed{seed}.csv")
        pairs = _pairs(classes)
        counts: dict[Split, int] = {
            "train": train_per_class,
            "validation": validation_per_class,
            "test": test_per_class,
        }
        self._per_class = {split: count for split, count in counts.items() if count}
        self.splits = tuple(self._per_class)
        self._wanted = Counter(
            {
                (split, name, source, source_class): _share(count, name, pairs[name])
                for split, count in self._per_class.items()
                for name in classes
                for source, source_class in pairs[name]
            }
        )

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`. The images keep the manifest's order.

        Raises:
            ConfigError: If CIFAR has too few images of a class, or there is no validation split.
            DatasetNotFoundError: If CIFAR's files are missing.
            DatasetError: If the manifest is no such file, holds other counts or classes than asked for, or names
                images that are not in CIFAR's files.
        """
        self.check_split(split)
        if self.manifest.exists():
            table = self._read()
            self._check(table)
        else:
            table = self._draw()
            self._write(table)
        return self._images(table[table["split"] == split], _PARTS[split])

    def _draw(self) -> pd.DataFrame:
        used = {(source, _PARTS[split]) for split, _, source, _ in self._wanted}
        cifar = {(source, part): _CIFAR[source](self.root).load(part) for source, part in used}
        tables = []
        for (split, name, source, source_class), count in self._wanted.items():
            # Validation images follow on the test images.
            start = self._wanted["test", name, source, source_class] if split == "validation" else 0
            images = cifar[source, _PARTS[split]]
            order = self._shuffled(images, source, _PARTS[split], source_class)
            if len(order) < start + count:
                raise ConfigError(
                    f"{source} has {len(order)} images of {source_class!r} in its {_PARTS[split]} split; "
                    f"{start + count} are needed. Lower the images of each class, {self._per_class}."
                )
            rows = sorted(order[start : start + count])
            fixed = dict(zip(_GROUP, (split, name, source, source_class), strict=True))
            tables.append(pd.DataFrame({**fixed, "row": rows, "sha256": images.select(torch.tensor(rows)).digests()}))
        return pd.concat(tables, ignore_index=True)

    def _shuffled(self, images: LabelledImages, source: str, part: Split, source_class: str) -> list[int]:
        """Rows of a source class in an order that follows from the seed."""
        rows = (images.labels == images.classes.index(source_class)).nonzero()[:, 0].tolist()
        # By hash: the numbers of a random generator may change with a library's release.
        return sorted(rows, key=lambda row: hashlib.sha256(f"{self.seed} {source} {part} {row}".encode()).digest())

    def _write(self, table: pd.DataFrame) -> None:
        try:
            with replacing(self.manifest) as beside:
                table.to_csv(beside, index=False, lineterminator="\n")
        except OSError as error:
            warnings.warn(
                f"{self.manifest} cannot be written ({error}): the same images are drawn again from seed {self.seed}.",
                stacklevel=3,
            )

    def _read(self) -> pd.DataFrame:
        try:
            with self.manifest.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, restval="")
                missing = [name for name in _COLUMNS if name not in (reader.fieldnames or [])]
                table = pd.DataFrame(list(reader), columns=_COLUMNS, dtype=str)
        except (OSError, ValueError, csv.Error) as error:
            raise self._unfit(f"is no CSV file ({error})") from error
        if missing:
            raise self._unfit(f"has no column {', '.join(missing)}")
        number = table["row"].str.fullmatch("[0-9]{1,9}").astype(bool)
        if not number.all():
            raise self._unfit(f"has no row number in {_lines(table[~number])}")
        return table.astype({"row": np.int64})

    def _check(self, table: pd.DataFrame) -> None:
        """Compares the manifest with what is asked for."""
        held = Counter(table[_GROUP].itertuples(index=False, name=None))
        for group in self._wanted | held:
            if held[group] != self._wanted[group]:
                raise self._unfit(
                    f"is of other counts or classes than asked for: it has {held[group]} images of "
                    f"{' / '.join(group)}, asked for are {self._wanted[group]}"
                )
        twice = table.assign(split=table["split"].map(_PARTS)).duplicated(["split", "source", "row"])
        if twice.any():
            raise self._unfit(f"names an image again in {_lines(table[twice])}")

    def _images(self, table: pd.DataFrame, part: Split) -> LabelledImages:
        """Reads the images and compares them with the manifest."""
        images = torch.empty(len(table), 3, 32, 32, dtype=torch.uint8)
        fits = np.zeros(len(table), dtype=bool)
        for source in table["source"].unique():
            place = np.flatnonzero(table["source"] == source)
            asked, cifar = table.iloc[place], _CIFAR[source](self.root).load(part)
            row = asked["row"].to_numpy()
            found = cifar.select(torch.from_numpy(np.minimum(row, len(cifar) - 1)))
            images[torch.from_numpy(place)] = found.images
            name = np.array(found.classes)[found.labels.numpy()]
            same = (asked["source_class"] == name) & (asked["sha256"] == found.digests())
            fits[place] = same & (row < len(cifar))
        if not fits.all():
            raise self._unfit(
                f"and the files in {self.root} differ in row, source class or pixels (sha256) of {_lines(table[~fits])}"
            )
        label = table["class"].map(self.classes.index)
        return LabelledImages(images, torch.tensor(label.to_list()), self.classes)

    def _unfit(self, what: str) -> DatasetError:
        return DatasetError(f"{self.manifest} {what}. Delete it to draw anew, or set manifest to another path.")


def _pairs(classes: dict[str, Sources]) -> dict[str, list[tuple[str, str]]]:
    """Source and source class of all that each class is made of."""
    if not classes or not all(classes.values()):
        raise ConfigError(f"Each class needs a source, for example {{car: {{cifar10: [automobile]}}}}; not {classes}.")
    for source, source_classes in (item for sources in classes.values() for item in sources.items()):
        if source not in _CIFAR:
            raise ConfigError(f"There is no source {source!r}: choose from {', '.join(_CIFAR)}.")
        _CIFAR[source](classes=source_classes)  # it knows its classes
    pairs = {name: [(key, kind) for key in sources for kind in sources[key]] for name, sources in classes.items()}
    used = Counter(pair for found in pairs.values() for pair in found)
    if twice := [f"{source_class} of {source}" for (source, source_class), count in used.items() if count > 1]:
        raise ConfigError(f"{', '.join(twice)} is in two classes: its images would have two labels.")
    return pairs


def _share(count: int, name: str, pairs: list[tuple[str, str]]) -> int:
    if count % len(pairs):
        raise ConfigError(f"{count} images of {name!r} do not divide evenly among its {len(pairs)} source classes.")
    return count // len(pairs)


def _lines(rows: pd.DataFrame) -> str:
    """Lines of the file that rows stand in; the header is line 1."""
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"line {', '.join(str(index + 2) for index in rows.index[:5])}{more}"
