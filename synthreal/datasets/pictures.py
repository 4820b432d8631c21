"""Pictures without labels: backgrounds, textures, surroundings that light an object."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from synthreal.datasets.by_class import ByClass, by_class
from synthreal.datasets.decoding import Corrupt, picture_paths, read_pictures
from synthreal.datasets.remembered import remembered
from synthreal.errors import ConfigError, DatasetNotFoundError


@dataclass(frozen=True)
class Pictures:
    """Square pictures in memory, and which of them each class may have.

    Args:
        images: uint8 RGB.
        names: Name of each picture, for manifests.
        by_class: Which of them each class may have, at least one each.
    """

    images: UInt8[Tensor, "n 3 s s"]
    names: tuple[str, ...]
    by_class: ByClass

    def to(self, device: torch.device) -> "Pictures":
        """Returns the same pictures on `device`."""
        return Pictures(self.images.to(device), self.names, self.by_class.to(device))


class PictureSource(ABC):
    """Where pictures come from."""

    @abstractmethod
    def load(self, classes: Sequence[str]) -> Pictures:
        """Returns the pictures, and which of them go with each class.

        Raises:
            DatasetNotFoundError: If files are missing.
            ConfigError: If a class has none.
        """


class Photos(PictureSource):
    """Every picture in a folder and below, for every class alike.

    Args:
        root: Folder.
        side: Pictures are scaled and cut to squares of this many pixels.
        exclude: Patterns of file names to leave out, such as `*airliner*`: backgrounds must not show what is to be
            recognised.
        corrupt: Stop at a file that is no picture, or skip it with a warning.
    """

    def __init__(
        self, root: str = "data/photos", side: int = 128, exclude: list[str] | None = None, corrupt: Corrupt = "stop"
    ) -> None:
        self.root, self.side, self.exclude, self.corrupt = Path(root), side, exclude or [], corrupt

    def load(self, classes: Sequence[str]) -> Pictures:
        """See `PictureSource.load`."""
        paths = [p for p in picture_paths(self.root) if not any(fnmatch(p.name, pattern) for pattern in self.exclude)]
        if not paths:
            raise DatasetNotFoundError("Photos", str(self.root), "Set root to a folder of JPEG or PNG files.")
        images, kept = remembered(
            paths, (self.side, self.corrupt), lambda: read_pictures(paths, self.side, self.corrupt)
        )
        names = tuple(str(paths[i].relative_to(self.root)) for i in kept)
        return shared(images, names, len(classes))


class Scenes(PictureSource):
    """Photos by scene category, such as Places365: `<root>/<scene>/*.jpg`; each class has scenes that suit it.

    Args:
        root: Folder of folders.
        scenes: Scene categories of each class.
        side: Pictures are scaled and cut to squares of this many pixels.
        corrupt: Stop at a file that is no picture, or skip it with a warning.

    Raises:
        ConfigError: If no scene is given.
    """

    def __init__(self, root: str, scenes: dict[str, list[str]], side: int = 128, corrupt: Corrupt = "stop") -> None:
        if not scenes:
            raise ConfigError("scenes maps each class to scene categories, for example {banana: [kitchen, pantry]}.")
        self.root, self.scenes, self.side, self.corrupt = Path(root), scenes, side, corrupt

    def load(self, classes: Sequence[str]) -> Pictures:
        """See `PictureSource.load`."""
        missing = [name for name in classes if not self.scenes.get(name)]
        if missing:
            raise ConfigError(f"scenes names no scene for the classes {missing}; it has {sorted(self.scenes)}.")
        wanted = sorted({scene for name in classes for scene in self.scenes[name]})
        paths = sorted({path for scene in wanted for path in self._files(scene)})
        images, kept = remembered(
            paths, (self.side, self.corrupt), lambda: read_pictures(paths, self.side, self.corrupt)
        )
        names = tuple(str(paths[i].relative_to(self.root)) for i in kept)
        members = [self._members(names, self.scenes[name], name) for name in classes]
        return Pictures(images, names, by_class(members))

    def _files(self, scene: str) -> list[Path]:
        paths = picture_paths(self.root / scene) if (self.root / scene).is_dir() else []
        if not paths:
            raise DatasetNotFoundError(
                "Scenes", str(self.root / scene), "Put that category's photos there, or take it out of scenes."
            )
        return paths

    def _members(self, names: Sequence[str], scenes: Sequence[str], label: str) -> list[int]:
        within = tuple(f"{Path(scene).as_posix()}/" for scene in scenes)
        found = [i for i, name in enumerate(names) if Path(name).as_posix().startswith(within)]
        if not found:
            raise ConfigError(f"No readable picture is left for the class {label!r} in {list(scenes)}.")
        return found


class Noise(PictureSource):
    """Coloured clouds over a gradient: backgrounds and textures that need no files.

    Args:
        count: How many.
        side: Side, pixels.
        seed: Another seed, other clouds.
    """

    def __init__(self, count: int = 200, side: int = 64, seed: int = 0) -> None:
        if count < 1 or side < 16:
            raise ConfigError(f"Noise needs at least 1 picture of at least 16 pixels, not {count} of {side}.")
        self.count, self.side, self.seed = count, side, seed

    def load(self, classes: Sequence[str]) -> Pictures:
        """See `PictureSource.load`."""
        random = np.random.default_rng([self.seed, 200])
        cloud = torch.zeros(self.count, 3, self.side, self.side)
        for cells in (2, 4, 8, 16):
            coarse = torch.from_numpy(random.standard_normal((self.count, 3, cells, cells), dtype=np.float32))
            # Mostly grey detail: the shades of one thing vary more than its hue.
            coarse = 0.3 * coarse + 0.7 * coarse.mean(1, keepdim=True)
            cloud += F.interpolate(coarse, (self.side, self.side), mode="bicubic") * (0.35 / cells**0.7)
        ends = torch.from_numpy(random.random((2, self.count, 3, 1, 1), dtype=np.float32))
        ends = 0.35 * ends + 0.65 * ends.mean(2, keepdim=True)  # the world is greyer than a random colour
        down = torch.linspace(0, 1, self.side)[:, None]
        image = (ends[0] * (1 - down) + ends[1] * down + cloud).clamp(0, 1)
        names = tuple(f"noise_{self.seed}_{i}" for i in range(self.count))
        return shared((image * 255).round().byte(), names, len(classes))


def shared(images: UInt8[Tensor, "n 3 s s"], names: Sequence[str], num_classes: int) -> Pictures:
    """Returns pictures that every class may have."""
    count = len(images)
    start = torch.zeros(num_classes, dtype=torch.int64)
    return Pictures(images, tuple(names), ByClass(torch.arange(count), start, torch.full_like(start, count)))
