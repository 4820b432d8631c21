"""Picture files to tensors, many at a time."""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from synthreal.errors import ConfigError, DatasetError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
Corrupt = Literal["stop", "skip"]


def picture_paths(root: Path) -> list[Path]:
    """Returns every picture file under a folder, sorted, hidden ones left out."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not path.is_dir()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


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
    if side < 1:
        raise ConfigError(f"side is at least 1 pixel, not {side}.")

    def read(path: Path) -> np.ndarray | str:
        """The picture, or why there is none."""
        try:
            with Image.open(path) as file:
                image = ImageOps.exif_transpose(file)  # phones store how they were held
                # Pillow warns about palettes that hold transparency, unless they pass through RGBA.
                colours = image.convert("RGBA") if image.mode == "P" else image
                return np.asarray(ImageOps.fit(colours.convert("RGB"), (side, side), Image.Resampling.BILINEAR))
        except Exception as error:  # Pillow raises nearly anything on files that only begin well
            return f"{path}: {error}"

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(read, paths))
    broken = [result for result in found if isinstance(result, str)]
    kept = [i for i, result in enumerate(found) if not isinstance(result, str)]
    if broken and (corrupt == "stop" or not kept):
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise DatasetError(f"Not a picture: {broken[0]}{more}. Remove it, or set corrupt to skip.")
    if broken:
        warnings.warn(f"{len(broken)} of {len(paths)} pictures were skipped: {'; '.join(broken[:3])} …", stacklevel=2)
    pictures = (
        np.stack([result for result in found if not isinstance(result, str)]) if kept else np.empty((0, side, side, 3))
    )
    return torch.from_numpy(pictures.astype(np.uint8)).permute(0, 3, 1, 2).contiguous(), kept
