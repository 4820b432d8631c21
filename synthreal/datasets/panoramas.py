"""Radiance .hdr panoramas: surroundings brighter than any photo can show."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from synthreal.errors import DatasetError, DatasetNotFoundError

_HEADER_LINES = 100


def load_panoramas(root: Path, height: int = 64) -> tuple[Float[Tensor, "n 3 h w"], tuple[str, ...]]:
    """Reads every equirectangular .hdr file in a folder, and their names; hidden files are left out.

    Args:
        root: Folder.
        height: They are averaged down to this height and twice that width: they only light, nobody looks at them.

    Raises:
        DatasetNotFoundError: If there is none.
        DatasetError: If one cannot be read.
    """
    shown = (path for path in root.glob("*") if not path.name.startswith("."))
    paths = sorted(path for path in shown if path.suffix.lower() == ".hdr")
    if not paths:
        raise DatasetNotFoundError("Panoramas", str(root / "*.hdr"), "Put equirectangular Radiance files there.")
    # One after the other: full size is a hundred times what is kept.
    small = [_shrunk(torch.from_numpy(read_radiance(path)), height) for path in paths]
    return torch.stack(small), tuple(path.name for path in paths)


def _shrunk(picture: Float[Tensor, "h w 3"], height: int) -> Float[Tensor, "3 s t"]:
    return F.interpolate(picture.permute(2, 0, 1)[None], (height, 2 * height), mode="area")[0]


def read_radiance(path: Path) -> Float[np.ndarray, "h w 3"]:
    """Reads a Radiance picture (Ward 1991, "Real Pixels"), run-length coded or flat.

    Raises:
        DatasetError: If it is not one, or ends too early.
    """
    data = path.read_bytes()
    try:
        start, height, width = _header(data)
        rgbe = _scanlines(np.frombuffer(data, np.uint8, offset=start), height, width)
    except (ValueError, IndexError) as error:
        raise DatasetError(f"{path}: not a Radiance picture ({error}).") from error
    scale = np.ldexp(np.float32(1), rgbe[..., 3].astype(np.int32) - 136)
    return (rgbe[..., :3] * np.where(rgbe[..., 3:] > 0, scale[..., None], 0)).astype(np.float32)


def _header(data: bytes) -> tuple[int, int, int]:
    """Where the pixels start, height and width."""
    if not data.startswith(b"#?"):
        raise ValueError("no #? at its start")
    at = 0
    for _ in range(_HEADER_LINES):
        line, at = data[at : data.index(b"\n", at)], data.index(b"\n", at) + 1
        if line.startswith(b"FORMAT=") and b"xyze" in line:
            raise ValueError("its colours are CIE XYZ; only RGB is read")
        words = line.split()
        if len(words) == 4 and words[0] == b"-Y" and words[2] == b"+X":
            height, width = int(words[1]), int(words[3])
            if not 0 < height * width <= len(data) * 64:
                raise ValueError(f"{height} × {width} pixels cannot be in {len(data)} bytes")
            return at, height, width
    raise ValueError("no line -Y height +X width")


def _scanlines(data: np.ndarray, height: int, width: int) -> np.ndarray:
    if not (8 <= width < 2**15 and data[0] == 2 and data[1] == 2 and data[2] < 128):
        return data[: height * width * 4].reshape(height, width, 4)
    rgbe = np.empty((height, 4, width), np.uint8)
    at = 0
    for row in range(height):
        if int(data[at + 2]) * 256 + int(data[at + 3]) != width:
            raise ValueError(f"row {row} has another width")
        at += 4
        for channel in range(4):
            at = _unpack(data, at, rgbe[row, channel])
    return rgbe.transpose(0, 2, 1)


def _unpack(data: np.ndarray, at: int, out: np.ndarray) -> int:
    """Fills one channel of a row; above 128 a count repeats the next byte, else it copies as many."""
    filled = 0
    while filled < len(out):
        count = int(data[at])
        length = count - 128 if count > 128 else count
        if not 0 < length <= len(out) - filled:
            raise ValueError("a run is longer than its row")
        used = 1 if count > 128 else length
        run = data[at + 1 : at + 1 + used]
        if len(run) < used:  # NumPy would repeat a last byte
            raise ValueError("it ends too early")
        out[filled : filled + length] = run
        at += 1 + used
        filled += length
    return at
