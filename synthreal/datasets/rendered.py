"""Data sets that `predict` wrote, read as labelled images."""

import json
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, UInt8

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.datasets.decoding import Corrupt
from synthreal.datasets.folder import held_out
from synthreal.datasets.remembered import remembered
from synthreal.datasets.rendered_files import Sample, decode_all, members_of, path_of_map, place_of_file
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

_FORMAT = "synthreal data set 1"
_COLUMNS = {"path": "str", "index": "int64", "class": "str", "label": "int64"}
_NUMBERS = ("u.", "viewpoint.")  # how the columns of parameters begin
_WRITE_AGAIN = "Delete it, and the same predict command writes it again from parts/."
_SHOWN = 3


class RenderedFolder(ImageDataset):
    """What the callback `DatasetWriter` wrote, in either layout; a share of each class is the test set.

    Images keep their size and their channels, RGB or grey, which all of them must share. Those with alpha are put on
    black, which gives back what the generator made.

    Args:
        root: The folder that holds `dataset.json` and `manifest.csv`.
        side: Images become squares of this many pixels: the shorter side is scaled, and the middle is kept. None
            leaves them as they are.
        split_by: "instance" has all images of a 3D model on one side. "image" is the benchmark paper's way (sec.
            4.3.2): views of one model are on both sides, which makes the test set easier than new models are.
        test_share: Share of each class's models or images that is the test set, rounded, at least one on either side;
            0 to 1 (exclusive).
        seed: Seed of the split.
        corrupt: Stop at a file that is no picture like the others, or skip it with a warning.

    Raises:
        DatasetNotFoundError: If there is no data set.
        DatasetError: If its description cannot be read.
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        root: str,
        side: int | None = None,
        split_by: Literal["instance", "image"] = "instance",
        test_share: float = 0.2,
        seed: int = 0,
        corrupt: Corrupt = "stop",
    ) -> None:
        if side is not None and side < 1:
            raise ConfigError(f"side is at least 1 pixel, not {side}.")
        if not 0 < test_share < 1:
            raise ConfigError(f"test_share is more than 0 and less than 1, not {test_share}.")
        self.root, self.side, self.corrupt = Path(root), side, corrupt
        self.split_by, self.test_share, self.seed = split_by, test_share, seed
        self._description = _read_description(self.root / "dataset.json")
        self.classes = tuple(self._description["classes"])

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`.

        Raises:
            ConfigError: If images are to be split by instance, but the manifest names no models.
        """
        images, table = self._load(split)
        return LabelledImages(torch.from_numpy(images), torch.tensor(table["label"].to_numpy()), self.classes)

    def _load(self, split: Split, maps: Sequence[str] = ()) -> tuple[UInt8[np.ndarray, "n c h w"], pd.DataFrame]:
        """The images of a split, with their maps as further channels, and their rows of the manifest."""
        self.check_split(split)
        table = _read_manifest(self.root / "manifest.csv", self._description["count"], self.classes)
        # Files of both sides are looked for, so that what one lacks shows before training and not after it.
        places = self._places(table, maps)
        rows = np.flatnonzero(self._tested(table) == (split == "test"))
        chosen = [places[row] for row in rows]
        read = partial(self._read, table.iloc[rows], chosen)
        key = (self.side, self.corrupt, tuple(tuple(place.offset for place in sample) for sample in chosen))
        images, kept = remembered([place.file for sample in chosen for place in sample], key, read)
        return images, table.iloc[rows[kept]]

    def _tested(self, table: pd.DataFrame) -> Bool[np.ndarray, " n"]:
        """Which rows are the test set's."""
        if self.split_by == "instance" and "model" not in table:
            raise ConfigError(
                f"{self.root / 'manifest.csv'} names no models, since the generator has none: each image is an "
                "instance of its own. Set split_by to image."
            )
        by_class = table.groupby("label")["model" if self.split_by == "instance" else "index"]
        count = by_class.nunique().reindex(range(len(self.classes)), fill_value=0)
        if few := [self.classes[label] for label in count.index[count < 2]]:
            remedy = "Set split_by to image" if self.split_by == "instance" else "Let predict make more"
            raise DatasetError(
                f"{self.root}: the classes {few} have fewer than 2 {self.split_by}s, and training and test need one of "
                f"their own. {remedy}, or leave these classes out."
            )
        tested = by_class.transform(lambda names: held_out(names.astype(str).tolist(), self.test_share, self.seed))
        return tested.to_numpy(bool)

    def _places(self, table: pd.DataFrame, maps: Sequence[str]) -> list[Sample]:
        """Where each row's image is, and its maps."""
        shards = self._description.get("layout") == "shards"
        paths = [table["path"].tolist()]
        paths += [[path_of_map(name, path, shards) for path in paths[0]] for name in maps]
        # One after another: threads would only wait for each other here.
        if shards:
            files = [self.root / name for name in dict.fromkeys(path.partition("/")[0] for path in paths[0])]
            there = {path: place for shard in files for path, place in members_of(shard)}
            found = [[there.get(path) for path in column] for column in paths]
        else:
            found = [[place_of_file(self.root / path) for path in column] for column in paths]
        for name, column, places in zip(("image", *maps), paths, found, strict=True):
            if lost := [row for row, place in enumerate(places) if place is None]:
                raise self._missing(table, name, column, lost)
        return [tuple(place for place in sample if place is not None) for sample in zip(*found, strict=True)]

    def _missing(
        self, table: pd.DataFrame, name: str, paths: Sequence[str], lost: Sequence[int]
    ) -> DatasetNotFoundError | DatasetError:
        """What to say when the images of some rows, or maps of theirs, are not there."""
        first, share, remedy = lost[0], f"{len(lost)} of {len(table)} images", self._remedy(table, lost[0])
        if name == "image":
            told = f"{share} in the manifest are missing. {remedy}."
            return DatasetNotFoundError("RenderedFolder", str(self.root / paths[first]), told)
        example = f"such as {table['path'].iloc[first]}, which needs {paths[first]}"
        return DatasetError(f"{self.root}: {share} lack their {name} map, {example}. {remedy}.")

    def _read(self, table: pd.DataFrame, places: Sequence[Sample]) -> tuple[UInt8[np.ndarray, "k c h w"], list[int]]:
        """The images, and the row of each."""
        images, reasons = decode_all(places, self.side)
        told = [f"{self.root / table['path'].iloc[row]}: {reason}" for row, reason in reasons.items()]
        if told and self.corrupt == "stop":
            remedy = self._remedy(table, next(iter(reasons)))
            raise DatasetError(
                f"{len(told)} of {len(places)} images are no pictures like the others, such as {told[0]}. {remedy}; or "
                "set corrupt to skip."
            )
        kept = [row for row in range(len(places)) if row not in reasons]
        left = set(table["label"].iloc[kept])
        if empty := [name for label, name in enumerate(self.classes) if label not in left]:
            raise DatasetError(f"No readable image is left of the classes {empty}: {told[0]}.")
        if told:
            shown = "; ".join(told[:_SHOWN])
            warnings.warn(f"{len(told)} of {len(places)} images were skipped: {shown} …", stacklevel=3)
        return images[kept] if told else images, kept

    def _remedy(self, table: pd.DataFrame, row: int) -> str:
        if "part_size" not in self._description:  # not DatasetWriter's
            return "Add or mend it, or take its row out of manifest.csv and lower the count in dataset.json"
        part = int(table["index"].iloc[row]) // self._description["part_size"]
        return f"Delete {self.root / 'parts' / f'{part:06d}.csv'}, and the same predict command makes that part again"


def _read_description(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise DatasetNotFoundError("RenderedFolder", str(file), "Set root to a folder that DatasetWriter wrote.")
    try:
        held = dict(json.loads(file.read_text(encoding="utf-8-sig")))  # Windows' editors mark UTF-8
    except (ValueError, TypeError):
        held = {}
    classes = held.get("classes")
    named = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    if held.get("format") != _FORMAT or not named or not isinstance(held.get("count"), int):
        raise DatasetError(f"{file} describes no {_FORMAT!r}: set root to a folder that DatasetWriter wrote.")
    return held


def _read_manifest(file: Path, count: int, classes: Sequence[str]) -> pd.DataFrame:
    """The manifest's columns that are needed, checked against the description."""
    if not file.is_file():
        remedy = "The data set is unfinished: the same predict command goes on."
        raise DatasetNotFoundError("RenderedFolder", str(file), remedy)
    kinds = _COLUMNS | {"model": "str"}
    try:
        # A class may be called "nan".
        table = pd.read_csv(
            file, dtype=kinds, usecols=lambda name: name in kinds or name.startswith(_NUMBERS), keep_default_na=False
        )
    except ValueError as error:  # all of pandas' own derive from it
        raise DatasetError(f"{file} is no manifest ({error}). {_WRITE_AGAIN}") from error
    if missing := _COLUMNS.keys() - set(table):
        raise DatasetError(f"{file} lacks the columns {sorted(missing)}. {_WRITE_AGAIN}")
    different = table["path"].nunique()
    if not len(table) == different == count:
        listed = f"{len(table)} images, {different} of them different"
        raise DatasetError(f"{file} lists {listed}; dataset.json says {count}. {_WRITE_AGAIN}")
    wrong = table[table["class"].map({name: i for i, name in enumerate(classes)}) != table["label"]]
    if len(wrong):
        path, name, label = wrong[["path", "class", "label"]].iloc[0]
        raise DatasetError(
            f"{file}: {path} has class {name!r} and label {label}, but the classes of dataset.json are "
            f"{', '.join(classes)}. {_WRITE_AGAIN}"
        )
    return table
