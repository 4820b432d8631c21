"""Picture files to tensors, many at a time."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import get_worker_info

from synthreal.datasets.walking import files_below
from synthreal.errors import ConfigError, DatasetError
from synthreal.rendering.bit_depth import eight_bits

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
Corrupt = Literal["stop", "skip"]
_WORTH_A_BAR = 1000

T = TypeVar("T")
R = TypeVar("R")


def picture_paths(root: Path) -> list[Path]:
    """Returns every picture file under a folder, sorted, hidden ones left out; links are followed."""
    return sorted(path for path in files_below(root) if path.name.lower().endswith(SUFFIXES))


def read_pictures(
    paths: Sequence[Path], side: int, corrupt: Corrupt = "stop"
) -> tuple[UInt8[Tensor, "n 3 h w"], list[int]]:
    """Reads pictures as squares: the shorter side is scaled to `side`, and the middle is kept.

    Args:
        paths: Files.
        side: Side of the squares, pixels.
        corrupt: What to do about a file that is no picture: stop with an error, or skip it with a warning.

    Returns:
        The pictures, and the position in `paths` of each.

    Raises:
        DatasetError: If a file cannot be read and `corrupt` is "stop", naming it; or if none can be read.
        ConfigError: If the side is below 1.
    """
    _check_side(side)
    # Filled in place: a large set would not fit into memory twice.
    pictures = np.empty((len(paths), 3, side, side), np.uint8)

    def read(position: int) -> str | None:
        """Fills in one picture, or says why there is none."""
        try:
            pictures[position] = _square(paths[position], side).transpose(2, 0, 1)
        except Exception as error:  # Pillow raises nearly anything on files that only begin well
            return f"{paths[position]}: {error}"
        return None

    kept = _without_broken(in_threads(read, range(len(paths)), "Reading pictures"), corrupt)
    return torch.from_numpy(pictures if len(kept) == len(paths) else pictures[kept]), kept


def check_pictures(paths: Sequence[Path], side: int, corrupt: Corrupt = "stop") -> list[int]:
    """Looks for files that `read_pictures` could not read, and keeps no picture in memory.

    Args:
        paths: Files.
        side: Side of the squares that they will be read as, pixels.
        corrupt: "stop" looks at the files' headers only, which is fast. "skip" decodes each one, so that none of those
            left can fail later.

    Returns:
        The position in `paths` of each file that is left.

    Raises:
        DatasetError: If a file is no picture and `corrupt` is "stop", naming it; or if none is left.
        ConfigError: If the side is below 1.
    """
    _check_side(side)

    def look(path: Path) -> str | None:
        """Says why a file is no picture."""
        try:
            if corrupt == "skip":
                _square(path, side)
            else:
                Image.open(path).close()
        except Exception as error:
            return f"{path}: {error}"
        return None

    return _without_broken(in_threads(look, paths, "Checking pictures"), corrupt)


def in_threads(work: Callable[[T], R], items: Sequence[T], title: str) -> list[R]:
    """Returns what `work` makes of each item, with a progress bar if there are many and a terminal to show it."""
    bar = Console(stderr=True)
    quiet = len(items) < _WORTH_A_BAR or not bar.is_terminal
    # A loader's worker has others beside it, which use the other cores.
    with ThreadPoolExecutor(None if get_worker_info() is None else 1) as pool:
        done = pool.map(work, items)
        return list(track(done, title, len(items), console=bar, disable=quiet, transient=True))


def _check_side(side: int) -> None:
    if side < 1:
        raise ConfigError(f"side is at least 1 pixel, not {side}.")


def _square(path: Path, side: int) -> UInt8[np.ndarray, "s s 3"]:
    with Image.open(path) as file:
        image = eight_bits(ImageOps.exif_transpose(file))  # phones store how they were held
        # Pillow warns about palettes that hold transparency, unless they pass through RGBA.
        colours = image.convert("RGBA") if image.mode == "P" else image
        return np.asarray(ImageOps.fit(colours.convert("RGB"), (side, side), Image.Resampling.BILINEAR))


def _without_broken(reasons: Sequence[str | None], corrupt: Corrupt) -> list[int]:
    """The positions without a reason why there is no picture; an error or one warning for the others."""
    broken = [reason for reason in reasons if reason is not None]
    kept = [i for i, reason in enumerate(reasons) if reason is None]
    if broken and (corrupt == "stop" or not kept):
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise DatasetError(f"Not a picture: {broken[0]}{more}. Remove it, or set corrupt to skip.")
    if broken:
        warnings.warn(f"{len(broken)} of {len(reasons)} pictures were skipped: {'; '.join(broken[:3])} …", stacklevel=3)
    return kept
