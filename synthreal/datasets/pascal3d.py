"""PASCAL3D+: photos of objects of 12 classes, and the viewpoints that they were taken from."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from scipy.io import loadmat
from torch import Tensor

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.datasets.decoding import Corrupt, in_threads
from synthreal.datasets.folder import class_groups
from synthreal.datasets.remembered import remembered
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

CLASSES = (
    "aeroplane",
    "bicycle",
    "boat",
    "bottle",
    "bus",
    "car",
    "chair",
    "diningtable",
    "motorbike",
    "sofa",
    "train",
    "tvmonitor",
)
"""The rigid classes of PASCAL VOC, in its order."""

_VOC_LISTS = Path("PASCAL", "VOCdevkit", "VOC2012", "ImageSets", "Main")
_SHOWN = 3
_REMEDY = (
    "Get PASCAL3D+ release 1.1 from cvgl.stanford.edu/projects/pascal3d.html and set root to the folder that holds "
    "Annotations/, Images/ and Image_sets/"
)

_Objects = Float[np.ndarray, "n 7"]  # box (x1, y1, x2, y2), azimuth, elevation, tilt


class Pascal3D(ImageDataset):
    """Objects cut out of the photos of PASCAL3D+, release 1.1 (Xiang et al., WACV 2014), with their viewpoints.

    GM-CML (sec. VIII) is tested on both halves: ImageNet's photos, and the harder ones of PASCAL VOC 2012. Layout:
    `<root>/Images/<class>_imagenet/<name>.JPEG` or `<class>_pascal/<name>.jpg`, annotations at
    `Annotations/<class>_<source>/<name>.mat`, and lists of names, `Image_sets/<class>_imagenet_{train,val}.txt` or
    `PASCAL/VOCdevkit/VOC2012/ImageSets/Main/<class>_{train,val}.txt`. The lists "val" are the test set.

    A sample is an object of its folder's class; others in the same photo are samples of their own classes' folders. It
    is cut out as a square about the middle of its box, which is first clipped to the photo; where the square reaches
    over the photo's edge, the pixels at the edge are repeated.

    Args:
        root: The folder, usually called PASCAL3D+_release1.1.
        side: Squares are scaled to this many pixels.
        classes: Some of `CLASSES`, in this order; None takes all.
        source: Photos of ImageNet or of PASCAL VOC 2012.
        whole_only: Leave out objects that are marked difficult, truncated or occluded.
        margin: Share of the box's longer side that is added on each side, 0 and above.
        corrupt: Stop at photos and annotations that are missing or unreadable and at boxes outside their photo, or
            skip them with a warning.

    Raises:
        ConfigError: If `side` or `margin` is out of range, or `classes` is empty or names one twice or one that
            PASCAL3D+ does not have.
    """

    def __init__(
        self,
        root: str,
        side: int = 64,
        classes: list[str] | None = None,
        source: Literal["imagenet", "pascal"] = "imagenet",
        whole_only: bool = True,
        margin: float = 0.1,
        corrupt: Corrupt = "stop",
    ) -> None:
        if side < 1:
            raise ConfigError(f"side is at least 1 pixel, not {side}.")
        if not 0 <= margin < float("inf"):
            raise ConfigError(f"margin is a share of the box, 0 and above, not {margin}.")
        self.root, self.side, self.source, self.whole_only = Path(root), side, source, whole_only
        self.margin, self.corrupt = margin, corrupt
        self.classes = tuple(class_groups(CLASSES if classes is None else classes))
        unknown = [name for name in self.classes if name not in CLASSES]
        if unknown:
            raise ConfigError(f"PASCAL3D+ has no classes {unknown}; it has {', '.join(CLASSES)}.")

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`."""
        photos, labels, objects = self._objects(split)
        images, kept = self._crops(photos, objects)
        self._check_classes(labels[kept])
        return LabelledImages(torch.from_numpy(images), torch.from_numpy(labels[kept]), self.classes)

    def viewpoints(self, split: Split) -> Float[Tensor, "n 3"]:
        """Returns azimuth, elevation and in-plane tilt of each image of `load(split)`, degrees; NaN if not annotated.

        PASCAL3D+'s azimuth and elevation are those of `Camera`: 0 sees the front, azimuth grows as the camera moves
        counter-clockwise about the object as seen from above, elevation towards the top. Its theta turns the picture
        counter-clockwise (`project_3d.m`), as the tilt does: all three are taken as they are. Where no 3D model was
        aligned to the object (a distance of 0, or no fine angles) the coarse angles stand in; a theta not given is 0.

        Raises:
            ConfigError: If there is no such split.
            DatasetNotFoundError: If the files are missing.
            DatasetError: If they are there, but not what they should be.
        """
        photos, _, objects = self._objects(split)
        if self.corrupt == "skip":  # `load` may have left some out
            objects = objects[self._crops(photos, objects)[1]]
        return torch.from_numpy(objects[:, 4:]).float()

    def _objects(self, split: Split) -> tuple[list[Path], Int[np.ndarray, " n"], _Objects]:
        """Photo, label, and box with viewpoint of each object."""
        self.check_split(split)
        suffix = "JPEG" if self.source == "imagenet" else "jpg"
        listed = [(label, name) for label in range(len(self.classes)) for name in self._listed(label, split)]
        annotations = [self._folder("Annotations", label) / f"{name}.mat" for label, name in listed]
        photos = [self._folder("Images", label) / f"{name}.{suffix}" for label, name in listed]
        lost = [path for path in (*annotations, *photos) if not path.is_file()]
        if lost and self.corrupt == "stop":
            remedy = f"The lists name {len(listed)} images, but {len(lost)} files of them are missing. {_REMEDY}"
            raise DatasetNotFoundError("PASCAL3D+", str(lost[0]), f"{remedy}; or set corrupt to skip.")
        wanted = [self.classes[label] for label, _ in listed]
        read = partial(_read_annotations, annotations, wanted, self.whole_only, self.corrupt)
        objects, image = remembered(annotations, ("objects", self.whole_only, self.corrupt), read)
        labels = np.array([listed[i][0] for i in image], dtype=np.int64)
        self._check_classes(labels)
        return [photos[i] for i in image], labels, objects

    def _folder(self, kind: str, label: int) -> Path:
        return self.root / kind / f"{self.classes[label]}_{self.source}"

    def _listed(self, label: int, split: Split) -> list[str]:
        """Names of a class's images that may hold objects to be taken."""
        part = "train" if split == "train" else "val"
        if self.source == "imagenet":
            path = self.root / "Image_sets" / f"{self.classes[label]}_imagenet_{part}.txt"
        else:
            path = self.root / _VOC_LISTS / f"{self.classes[label]}_{part}.txt"
        missing = [folder for kind in ("Annotations", "Images") if not (folder := self._folder(kind, label)).is_dir()]
        missing += [] if path.is_file() else [path]
        if missing:
            raise DatasetNotFoundError("PASCAL3D+", str(missing[0]), f"{_REMEDY}.")
        lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        # VOC's lists name every image: 1 shows the class, 0 only objects of it that are difficult, -1 none.
        flags = ("1",) if self.whole_only else ("1", "0")
        names = dict.fromkeys(words[0] for words in lines if words and (len(words) == 1 or words[1] in flags))
        if not names:
            raise DatasetError(
                f"PASCAL3D+: {path} names no image of {self.classes[label]!r}. Replace it, or take that out of classes."
            )
        return list(names)

    def _check_classes(self, labels: Int[np.ndarray, " n"]) -> None:
        count = np.bincount(labels, minlength=len(self.classes))
        empty = [name for name, left in zip(self.classes, count, strict=True) if not left]
        if empty:
            raise DatasetError(
                f"PASCAL3D+: no object of the classes {empty} is left in the photos of {self.source} at {self.root}. "
                "Set whole_only to false, replace their files, or take them out of classes."
            )

    def _crops(self, photos: Sequence[Path], objects: _Objects) -> tuple[UInt8[np.ndarray, "k 3 s s"], list[int]]:
        """The squares, and which object each one shows."""
        boxes = objects[:, :4]
        read = partial(_read_crops, photos, boxes, self.side, self.margin, self.corrupt)
        return remembered(photos, ("crops", self.side, self.margin, self.corrupt, boxes.tobytes()), read)


def _read_annotations(
    files: Sequence[Path], classes: Sequence[str], whole_only: bool, corrupt: Corrupt
) -> tuple[_Objects, list[int]]:
    """Every object of its file's class, and which file each one is of."""
    found: list[_Objects] = [np.empty((0, 7))] * len(files)

    def read(position: int) -> None:
        """Reads one file."""
        found[position] = _read_objects(files[position], classes[position], whole_only)

    _done(read, files, "annotations", corrupt)
    count = [len(objects) for objects in found]
    return np.concatenate([np.empty((0, 7)), *found]), np.arange(len(files)).repeat(count).tolist()


def _read_objects(file: Path, name: str, whole_only: bool) -> _Objects:
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


def _read_crops(
    photos: Sequence[Path], boxes: Float[np.ndarray, "n 4"], side: int, margin: float, corrupt: Corrupt
) -> tuple[UInt8[np.ndarray, "k 3 s s"], list[int]]:
    """The squares, and which object each one shows."""
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
