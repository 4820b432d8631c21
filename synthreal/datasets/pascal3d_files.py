"""What the files of PASCAL3D+ hold: objects in annotations, and their squares in photos."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.io import loadmat

from synthreal.datasets.decoding import Corrupt, in_threads
from synthreal.errors import DatasetError

Objects = Float[np.ndarray, "n 7"]
"""Box (left, top, right, bottom), azimuth, elevation and tilt of each object."""

_SHOWN = 3


def read_annotations(
    files: Sequence[Path], classes: Sequence[str], whole_only: bool, corrupt: Corrupt
) -> tuple[Objects, list[int]]:
    """Returns every object of its file's class, and which file each one is of.

    Args:
        files: Annotations.
        classes: Class of each.
        whole_only: Leave out objects that are marked difficult, truncated or occluded.
        corrupt: What to do about files that cannot be read.

    Raises:
        DatasetError: If a file cannot be read, and `corrupt` is stop.
    """
    found: list[Objects] = [np.empty((0, 7))] * len(files)

    def read(position: int) -> None:
        """Reads one file."""
        found[position] = _read_objects(files[position], classes[position], whole_only)

    _done(read, files, "annotations", corrupt)
    count = [len(objects) for objects in found]
    return np.concatenate([np.empty((0, 7)), *found]), np.arange(len(files)).repeat(count).tolist()


def _read_objects(file: Path, name: str, whole_only: bool) -> Objects:
    """The objects of one class in an annotation."""
    record = loadmat(str(file), simplify_cells=True, variable_names=["record"], appendmat=False).get("record")
    if not isinstance(record, dict) or "objects" not in record:
        raise ValueError("it holds no struct `record` with `objects`")
    objects = record["objects"]
    every = [objects] if isinstance(objects, dict) else list(objects)  # a struct array of one is its only struct
    if not all(isinstance(each, dict) for each in every):
        raise ValueError("its `record.objects` is no struct array")
    rows = [
        [*_numbers(each.get("bbox"), 4), *_viewpoint(each.get("viewpoint"))]
        for each in every
        if str(each.get("class")) == name and not (whole_only and _is_partial(each))
    ]
    return np.array(rows).reshape(-1, 7)


def _is_partial(each: dict[str, object]) -> bool:
    """Whether an object is marked as not wholly in view; a mark that is missing or empty says nothing."""
    return any(_numbers(each.get(mark), 1)[0] > 0 for mark in ("difficult", "truncated", "occluded"))


def _viewpoint(view: object) -> tuple[float, float, float]:
    """Azimuth, elevation and tilt; all NaN if one of the first two is not there."""
    held = view if isinstance(view, dict) else {}
    number = {key: float(_numbers(value, 1)[0]) for key, value in held.items()}
    nothing = float("nan")
    azimuth, elevation = (number.get(key, nothing) for key in ("azimuth", "elevation"))
    # Where no model was aligned, release 1.1 has a distance of 0 and fine angles that mean nothing, or has neither.
    if number.get("distance") == 0 or not np.isfinite([azimuth, elevation]).all():
        azimuth, elevation = (number.get(f"{key}_coarse", nothing) for key in ("azimuth", "elevation"))
    if not np.isfinite([azimuth, elevation]).all():
        return nothing, nothing, nothing
    return azimuth, elevation, float(np.nan_to_num(number.get("theta", 0.0)))


def _numbers(value: object, count: int) -> Float[np.ndarray, " c"]:
    """As many finite numbers as there should be, or as many NaN; MATLAB's [] is none."""
    try:
        numbers = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        numbers = np.empty(0)
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else np.full(count, np.nan)


def read_crops(
    photos: Sequence[Path], boxes: Float[np.ndarray, "n 4"], side: int, margin: float, corrupt: Corrupt
) -> tuple[UInt8[np.ndarray, "k 3 s s"], list[int]]:
    """Returns squares cut out of photos, and which object each one shows.

    Args:
        photos: Photo of each object.
        boxes: Left, top, right and bottom of each, pixels from 1 on, both ends included.
        side: Side of the squares, pixels.
        margin: Share of the box's longer side that is added on each side.
        corrupt: What to do about photos that cannot be read, and boxes outside their photo.

    Raises:
        DatasetError: If there is such a photo or box, and `corrupt` is stop.
    """
    # Filled in place: a large set would not fit into memory twice.
    squares = np.empty((len(photos), 3, side, side), np.uint8)

    def read(row: int) -> None:
        """Fills in one square."""
        squares[row] = _crop(photos[row], boxes[row], side, margin).transpose(2, 0, 1)

    kept = _done(read, photos, "objects", corrupt)
    return squares if len(kept) == len(squares) else squares[kept], kept


def _crop(photo: Path, box: Float[np.ndarray, " 4"], side: int, margin: float) -> UInt8[np.ndarray, "s s 3"]:
    with Image.open(photo) as file:
        # Not turned by EXIF: the boxes were drawn with MATLAB, which did not do that.
        pixels = np.asarray(file.convert("RGB"))
    extent = np.array(pixels.shape[1::-1])
    low, high = np.maximum(box[:2] - 1, 0), np.minimum(box[2:], extent)  # MATLAB counts from 1, with both ends
    if not (low < high).all():
        raise ValueError(f"the box {box.tolist()} is outside the photo of {extent[0]} × {extent[1]} pixels")
    size = max(round(float((high - low).max()) * (1 + 2 * margin)), 1)
    start = np.round((low + high - size) / 2).astype(np.int64)
    columns, rows = np.clip(start[:, None] + np.arange(size), 0, extent[:, None] - 1)
    square = Image.fromarray(pixels[rows][:, columns])
    return np.asarray(square.resize((side, side), Image.Resampling.BILINEAR))


def _done(work: Callable[[int], None], files: Sequence[Path], what: str, corrupt: Corrupt) -> list[int]:
    """Works on each file by its position, and returns where that went well; an error or one warning for the others."""

    def attempt(position: int) -> str | None:
        """Works on one file, or says why that failed."""
        try:
            work(position)
        except Exception as error:  # SciPy and Pillow raise nearly anything on files that only begin well
            return f"{files[position]}: {error}"
        return None

    faults = in_threads(attempt, range(len(files)), f"Reading {what}")
    told = [fault for fault in faults if fault is not None]
    count = f"{len(told)} of {len(files)} {what}"
    if told and corrupt == "stop":
        raise DatasetError(
            f"PASCAL3D+: {count} cannot be read, the first of them in {told[0]}. Replace the file, or set corrupt to "
            "skip."
        )
    if told:
        warnings.warn(f"{count} were skipped: {'; '.join(told[:_SHOWN])} …", stacklevel=3)
    return [position for position, fault in enumerate(faults) if fault is None]
