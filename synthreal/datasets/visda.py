"""VisDA-2017: renderings of 3D models, and photos of the same 12 classes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from synthreal.datasets.base import ImageDataset, Labelled, Split
from synthreal.datasets.files import Keep, LabelledFiles, kept
from synthreal.datasets.folder import class_groups, held_out
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

CLASSES = (
    "aeroplane",
    "bicycle",
    "bus",
    "car",
    "horse",
    "knife",
    "motorcycle",
    "person",
    "plant",
    "skateboard",
    "train",
    "truck",
)
"""The classes in the official order."""

# src_<collection>_<model>__<camera yaw>_<light yaw>_<camera pitch>: the collection is not part of the model's name.
_RENDERING = re.compile(r"src_\d+_(.+?)_+\d+_\d+_\d+")

_SOURCE = "github.com/VisionLearningGroup/taskcv-2017-public/tree/master/classification"
_LABELS = "Unpack test.tar there, and put the list of labels, data/image_list.txt, beside its folders"


class VisDA(ImageDataset):
    """One domain of VisDA-2017's classification data (Peng et al., 2017), cut into a training and a test set.

    The domain "train" holds renderings of 3D models, "validation" photos cut out of MS COCO, "test" frames of YouTube
    videos. Each is a folder with a list of its images and their labels, `<root>/<domain>/image_list.txt`, such as
    `aeroplane/aeroplane_14.jpg 0`; the list of "test" is a download of its own.

    Photos are split by image, half and half as in "Learning image classifiers from (limited) real and (abundant)
    synthetic data" (sec. 3.2); nothing tells which frames are of one video. Renderings are split by model: none is on
    both sides, also where two collections of models share one.

    Args:
        root: The folder that holds `train/`, `validation/` and `test/`.
        domain: Which of them.
        classes: Some of `CLASSES`, in this order; None takes all.
        test_share: Share of each class's images, or models, that is the test set, 0 to 1 (exclusive).
        side: Pictures become squares of this many pixels: the shorter side is scaled, and the middle is kept.
        keep: "memory" decodes everything once; "disk" decodes an image whenever it is drawn.
        seed: Seed of the split.

    Raises:
        ConfigError: If `classes` is empty, or names one twice or one that VisDA does not have.
    """

    def __init__(
        self,
        root: str,
        domain: Literal["train", "validation", "test"] = "validation",
        classes: list[str] | None = None,
        test_share: float = 0.5,
        side: int = 64,
        keep: Keep = "memory",
        seed: int = 0,
    ) -> None:
        self.folder, self.domain = Path(root) / domain, domain
        self.test_share, self.side, self.keep, self.seed = test_share, side, keep, seed
        self.classes = tuple(class_groups(CLASSES if classes is None else classes))
        unknown = [name for name in self.classes if name not in CLASSES]
        if unknown:
            raise ConfigError(f"VisDA has no classes {unknown}; it has {', '.join(CLASSES)}.")

    def load(self, split: Split) -> Labelled:
        """See `ImageDataset.load`."""
        self.check_split(split)
        listed = self._listed()
        files = {name: self._part(listed[name], split) for name in self.classes}
        return kept(LabelledFiles.of_classes(files, self.side), self.keep)

    def _listed(self) -> dict[str, list[str]]:
        """The images of each class, by their paths in the domain's folder."""
        path = self.folder / "image_list.txt"
        if not path.is_file():
            remedy = _LABELS if self.domain == "test" else f"Unpack {self.domain}.tar in {self.folder.parent}"
            raise DatasetNotFoundError("VisDA", str(path), f"{remedy}: {_SOURCE}.")
        listed: dict[str, str] = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            image, name = _entry(line.strip(), path)
            if image in listed:
                raise DatasetError(f"{path} lists {image!r} twice: remove one of the lines.")
            listed[image] = name
        files = {name: [image for image, label in listed.items() if label == name] for name in self.classes}
        empty = [name for name, images in files.items() if not images]
        if empty:
            raise DatasetError(f"{path} lists no image of the classes {empty}: take them out of classes.")
        return files

    def _part(self, images: Sequence[str], split: Split) -> list[Path]:
        names = [_model(image) for image in images] if self.domain == "train" else images
        tested = held_out(names, self.test_share, self.seed)
        return [self.folder / image for image, test in zip(images, tested, strict=True) if test == (split == "test")]


def _entry(line: str, path: Path) -> tuple[str, str]:
    """Image and class of a line of the list."""
    image, _, label = line.rpartition(" ")
    if not image or not label.isdecimal() or int(label) >= len(CLASSES):
        raise DatasetError(f"{path}: {line!r} is not an image and a label from 0 to {len(CLASSES) - 1}.")
    name, folder = CLASSES[int(label)], image.partition("/")[0]
    if folder in CLASSES and folder != name:
        raise DatasetError(f"{path}: {line!r} calls an image of the folder {folder!r} {name!r} ({label}).")
    return image, name


def _model(image: str) -> str:
    """The 3D model that a rendering shows."""
    found = _RENDERING.fullmatch(Path(image).stem)
    if found is None:
        raise DatasetError(
            f"{image!r} is not named src_<collection>_<model>__<yaw>_<light>_<pitch>: which model is it?"
        )
    return found[1]
