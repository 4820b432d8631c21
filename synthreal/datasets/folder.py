"""Folders of pictures, one a class."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthreal.datasets.base import ImageDataset, Labelled, Split
from synthreal.datasets.decoding import Corrupt, picture_paths
from synthreal.datasets.files import Keep, LabelledFiles, kept
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

_SHOWN = 10
_SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation"),
}


class ImageFolder(ImageDataset):
    """Pictures in class folders, in them or anywhere below; hidden files and folders are left out.

    Two layouts: `<root>/train/<class>/` and `<root>/test/<class>/`; or `<root>/<class>/`, where a share of each class
    is the test set. A folder `val`, `valid` or `validation` beside `train` is the validation set, or the test set if
    there is no `test`. These folders may also be called `training` and `testing`, and be written in capitals.

    Args:
        root: The folder.
        side: Pictures become squares of this many pixels: the shorter side is scaled, and the middle is kept.
        classes: Names of class folders, in this order; or the folders that make up each class, such as
            {vehicle: [car, truck], animal: [cat]}; None takes all class folders, sorted.
        test_share: Share of each class that is the test set, where the folders do not say, 0 to 1 (exclusive). It is
            drawn by image: the same files of a class are always split in the same way.
        keep: "memory" decodes everything once; "disk" decodes an image whenever it is drawn.
        corrupt: Stop at a file that is no picture, or skip it with a warning. With "disk", "stop" looks at the headers
            only, and "skip" decodes everything once to find out.
        seed: Seed of the split.

    Raises:
        DatasetNotFoundError: If the root, a class's folder, or a class's pictures are missing.
        DatasetError: If two folders are for one set, the sets have folders of different classes, or a class has too few
            pictures to be split.
        ConfigError: If `classes` is empty, has a class without a folder, or has one folder's pictures twice.
    """

    def __init__(
        self,
        root: str,
        side: int = 32,
        classes: list[str] | dict[str, list[str]] | None = None,
        test_share: float = 0.2,
        keep: Keep = "memory",
        corrupt: Corrupt = "stop",
        seed: int = 0,
    ) -> None:
        self.root, self.side, self.test_share, self.seed = Path(root), side, test_share, seed
        self.keep, self.corrupt = keep, corrupt
        self._folders = _split_folders(self.root)
        self.splits = tuple(self._folders)
        self._groups = class_groups(_common_classes(self._folders) if classes is None else classes)
        self.classes = tuple(self._groups)

    def load(self, split: Split) -> Labelled:
        """See `ImageDataset.load`."""
        self.check_split(split)
        # All are listed, so that what one of them lacks shows before training and not after it.
        folders = dict.fromkeys(self._folders.values())
        listed = {folder: class_files("ImageFolder", folder, self._groups) for folder in folders}
        files = listed[self._folders[split]]
        if self.root in listed:
            files = {name: self._part(paths, split) for name, paths in files.items()}
        return kept(LabelledFiles.of_classes(files, self.side), self.keep, self.corrupt)

    def _part(self, paths: Sequence[Path], split: Split) -> list[Path]:
        names = [path.relative_to(self.root).as_posix() for path in paths]
        tested = held_out(names, self.test_share, self.seed)
        return [path for path, test in zip(paths, tested, strict=True) if test == (split == "test")]


def class_groups(classes: Sequence[str] | Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Returns the folders that make up each class; a class of a plain list is the folder of its name.

    Raises:
        ConfigError: If there is no class, one has no folder, or a folder is there twice or within another one.
    """
    groups = classes.items() if isinstance(classes, Mapping) else [(name, [name]) for name in classes]
    if not groups or not all(folders for _, folders in groups):
        raise ConfigError(f"classes needs at least one class, each with at least one folder; not {classes}.")
    asked = Counter(Path(folder) for _, folders in groups for folder in folders)
    twice = [str(path) for path, times in asked.items() if times > 1 or any(above in asked for above in path.parents)]
    if twice:
        raise ConfigError(f"{_few(twice)}: asked for twice, or within a folder that is; an image counts once.")
    return {name: list(folders) for name, folders in groups}


def class_files(dataset: str, folder: Path, groups: Mapping[str, Sequence[str]]) -> dict[str, list[Path]]:
    """Returns every picture file of each class.

    Args:
        dataset: Name of the data set, for messages.
        folder: Folder that holds the class folders.
        groups: Class folders that make up each class.

    Raises:
        DatasetNotFoundError: If a class folder is missing or holds no picture.
    """
    files = {name: picture_paths(folder / name) for group in groups.values() for name in group}
    missing = [name for name, paths in files.items() if not paths]
    if missing:
        names = missing[0] if len(missing) == 1 else f"{{{_few(missing)}}}"
        remedy = f"Put pictures of that class there, or take it out of classes. There are: {_few(_folders(folder))}."
        raise DatasetNotFoundError(dataset, str(folder / names), remedy)
    return {name: [path for part in group for path in files[part]] for name, group in groups.items()}


def held_out(names: Sequence[str], share: float, seed: int) -> list[bool]:
    """Says which images are for testing: those of a share of the different names, rounded, at least one.

    Images of one name stay together. The choice is a pure function of the names, the share and the seed: neither the
    order of the images nor how many there are of a name matters.

    Args:
        names: What each image shows, or its own name.
        share: Share of the names, 0 to 1 (exclusive).
        seed: Another seed, another choice.

    Raises:
        ConfigError: If the share is not between 0 and 1.
        DatasetError: If there are not two names.
    """
    if not 0 < share < 1:
        raise ConfigError(f"test_share is more than 0 and less than 1, not {share}.")
    if len(set(names)) < 2:
        raise DatasetError(f"Training and test need one each at least; a class has only {sorted(set(names))}.")
    order = sorted(set(names), key=lambda name: hashlib.sha256(os.fsencode(f"{seed}/{name}")).digest())
    tested = set(order[: min(max(round(share * len(order)), 1), len(order) - 1)])
    return [name in tested for name in names]


def _split_folders(root: Path) -> dict[Split, Path]:
    """Where the class folders of each split are; the root itself for all of them if it holds the class folders."""
    if not root.is_dir():
        raise DatasetNotFoundError("ImageFolder", str(root), "Set root to a folder with one sub-folder for each class.")
    there = _folders(root)
    named = {split: [name for name in there if name.lower() in names] for split, names in _SPLIT_NAMES.items()}
    if named["train"] and (named["test"] or named["validation"]):
        if twice := [names for names in named.values() if len(names) > 1]:
            raise DatasetError(f"{root} holds {_few(twice[0])}, which are folders of one set: keep one, or merge them.")
        folders: dict[Split, Path] = {split: root / names[0] for split, names in named.items() if names}
        return folders if "test" in folders else {"train": folders["train"], "test": folders["validation"]}
    if there and there == named["train"]:  # with others beside it, it could be a class of that name
        remedy = f"Put test images there, or set root to {there[0]}."
        raise DatasetNotFoundError("ImageFolder", str(root / "test"), remedy)
    return {"train": root, "test": root}


def _common_classes(folders: Mapping[Split, Path]) -> list[str]:
    """Every class folder; all splits have the same ones."""
    there = {folder: _folders(folder) for folder in folders.values()}
    every = sorted(set().union(*there.values()))
    lacking = {folder: [name for name in every if name not in names] for folder, names in there.items()}
    told = [f"{folder} lacks {_few(names)}" for folder, names in lacking.items() if names]
    if told:
        raise DatasetError(f"All splits need the same classes: {'; '.join(told)}. Add them, or set classes.")
    if not every:
        looked_for = str(next(iter(there)) / "<class>")
        raise DatasetNotFoundError("ImageFolder", looked_for, "Make a folder of pictures for each class there.")
    return every


def _folders(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN] or ["none"]) + (" …" if len(names) > _SHOWN else "")
