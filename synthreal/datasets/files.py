"""Labelled images that stay on disk."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from synthreal.batch import LabelledImages
from synthreal.datasets.decoding import Corrupt, check_pictures, in_threads, read_pictures
from synthreal.datasets.remembered import remembered
from synthreal.errors import ConfigError, DatasetError

Keep = Literal["memory", "disk"]


@dataclass(frozen=True)
class LabelledFiles:
    """Picture files with their labels, decoded when they are asked for.

    Args:
        paths: The files.
        labels: int64 [N], values 0 to len(classes) - 1.
        classes: Name of each class.
        side: Pictures become squares of this many pixels: the shorter side is scaled, and the middle is kept.

    Raises:
        ConfigError: If labels do not fit paths or classes, or the side is below 1.
    """

    paths: tuple[Path, ...]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    side: int

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ConfigError(f"side is at least 1 pixel, not {self.side}.")
        if self.labels.dtype != torch.int64:
            raise ConfigError(f"labels must be int64, not {self.labels.dtype}.")
        if self.labels.shape != (len(self.paths),):
            raise ConfigError(f"{len(self.paths)} files but labels of shape {list(self.labels.shape)}.")
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ConfigError(
                f"labels run from {int(self.labels.min())} to {int(self.labels.max())}, "
                f"but there are {len(self.classes)} classes (0 to {len(self.classes) - 1})."
            )

    @staticmethod
    def of_classes(files: Mapping[str, Sequence[Path]], side: int) -> "LabelledFiles":
        """Returns the files of each class, one class after another."""
        paths = tuple(path for group in files.values() for path in group)
        count = torch.tensor([len(group) for group in files.values()], dtype=torch.int64)
        return LabelledFiles(paths, torch.arange(len(files)).repeat_interleave(count), tuple(files), side)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return 3, self.side, self.side

    def select(self, index: Int[Tensor, " k"]) -> "LabelledFiles":
        """Returns the files at `index`, in that order."""
        return replace(self, paths=self._at(index), labels=self.labels[index])

    def to(self, device: torch.device) -> "LabelledFiles":
        """Returns the same files with their labels on `device` (itself if they are there)."""
        if self.labels.device == device:
            return self
        return replace(self, labels=self.labels.to(device))

    def read(self, index: Int[Tensor, " k"]) -> UInt8[Tensor, "k 3 s s"]:
        """Decodes the files at `index`, in that order.

        Raises:
            DatasetError: If a file cannot be decoded, naming it.
        """
        return read_pictures(self._at(index), self.side)[0]

    def load(self, corrupt: Corrupt = "stop") -> LabelledImages:
        """Decodes all files into memory.

        Args:
            corrupt: Stop at a file that is no picture, or skip it with a warning.

        Raises:
            DatasetError: If a file cannot be decoded and `corrupt` is "stop", naming it; or if none can be.
        """
        read = partial(read_pictures, self.paths, self.side, corrupt)
        images, kept = remembered(self.paths, (self.side, corrupt), read)
        return LabelledImages(images, self.labels[kept], self.classes)

    def checked(self, corrupt: Corrupt = "stop") -> "LabelledFiles":
        """Returns the files that are pictures.

        Args:
            corrupt: "stop" stops at a file whose header is no picture's; "skip" decodes each file once and leaves out
                those that fail, with a warning.

        Raises:
            DatasetError: If a file is no picture and `corrupt` is "stop", naming it; or if none is one.
        """
        return self.select(torch.tensor(check_pictures(self.paths, self.side, corrupt), dtype=torch.int64))

    def digests(self) -> list[str]:
        """Returns the SHA-256 of each file's bytes: the same picture in another encoding has another one."""
        return in_threads(_digest, self.paths, "Hashing pictures")

    def fingerprint(self) -> str:
        """Returns the SHA-256 of shape, class names, files and labels; where the files lie does not matter."""
        digest = hashlib.sha256(repr((self.shape, self.classes)).encode())
        digest.update("".join(self.digests()).encode())
        digest.update(self.labels.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def _at(self, index: Int[Tensor, " k"]) -> tuple[Path, ...]:
        return tuple(self.paths[i] for i in index.tolist())


def kept(files: LabelledFiles, keep: Keep, corrupt: Corrupt = "stop") -> LabelledImages | LabelledFiles:
    """Returns the images in memory, or as files that have been looked at; every class at least once.

    Args:
        files: Files of every class.
        keep: "memory" decodes all now; "disk" leaves them to be decoded whenever they are drawn.
        corrupt: Stop at a file that is no picture, or skip it with a warning.

    Raises:
        DatasetError: If a file is no picture and `corrupt` is "stop", naming it; or if no picture of a class is left.
    """
    images = files.load(corrupt) if keep == "memory" else files.checked(corrupt)
    count = torch.bincount(images.labels, minlength=len(images.classes)).tolist()
    empty = [name for name, left in zip(images.classes, count, strict=True) if not left]
    if empty:
        raise DatasetError(f"No readable picture is left of the classes {empty}: replace their files.")
    return images


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
