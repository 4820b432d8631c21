"""PASCAL3D+: photos of objects of 12 classes, and the viewpoints that they were taken from."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.datasets.decoding import Corrupt
from synthreal.datasets.folder import class_groups
from synthreal.datasets.pascal3d_files import Objects, read_annotations, read_crops
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
_REMEDY = (
    "Get PASCAL3D+ release 1.1 from cvgl.stanford.edu/projects/pascal3d.html and set root to the folder that holds "
    "Annotations/, Images/ and Image_sets/"
)


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

    def _objects(self, split: Split) -> tuple[list[Path], Int[np.ndarray, " n"], Objects]:
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
        read = partial(read_annotations, annotations, wanted, self.whole_only, self.corrupt)
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
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
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

    def _crops(self, photos: Sequence[Path], objects: Objects) -> tuple[UInt8[np.ndarray, "k 3 s s"], list[int]]:
        """The squares, and which object each one shows."""
        boxes = objects[:, :4]
        read = partial(read_crops, photos, boxes, self.side, self.margin, self.corrupt)
        return remembered(photos, ("crops", self.side, self.margin, self.corrupt, boxes.tobytes()), read)
