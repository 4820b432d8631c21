"""Some classes of ImageNet: the real images of the synthetic-vs-real benchmark."""

from pathlib import Path

import pandas as pd

from synthreal.datasets.base import ImageDataset, Labelled, Split
from synthreal.datasets.decoding import Corrupt
from synthreal.datasets.files import Keep, LabelledFiles, kept
from synthreal.datasets.folder import class_files, class_groups
from synthreal.errors import DatasetError, DatasetNotFoundError

BENCHMARK_SYNSETS = {
    "alarm_clock": ["n02708093"],
    "backpack": ["n02769748"],
    "basketball": ["n02802426"],
    "pc_keyboard": ["n03085013"],
    "computer_desk": ["n03179701"],
    "digital_clock": ["n03196217"],
    "food_table": ["n03201208"],
    "laptop": ["n03642806"],
    "pc_monitor": ["n03782006"],
    "pc_mouse": ["n03793489"],
    "tv_remote": ["n04074963"],
    "soccer": ["n04254680"],
    "toaster": ["n04442312"],
    "vase": ["n04522168"],
    "wall_clock": ["n04548280"],
    "banana": ["n07753592"],
    "cup": ["n07930864"],
}
"""The 17 classes of "Benchmarking Visual Synthetic vs Real data in DL models" (Table 1, sec. 4.1.2).

The paper counts 1,200 training images of each; ImageNet has up to 1,300.
"""

_KAGGLE = Path("ILSVRC", "Data", "CLS-LOC")
_LISTING = "LOC_val_solution.csv"
_REMEDY = (
    "Get ILSVRC 2012 from image-net.org or from Kaggle's imagenet-object-localization-challenge (both need an account) "
    "and set root to the folder that holds train/ and val/, or to the one that holds ILSVRC/."
)


class ImageNetSubset(ImageDataset):
    """Classes of ILSVRC 2012: up to 1,300 training images of a synset; its 50 validation images are the test set.

    Two layouts: `<root>/train/<synset>/*.JPEG` and `<root>/val/<synset>/*.JPEG`, as pytorch/examples trains on; or
    Kaggle's archive, `<root>/ILSVRC/Data/CLS-LOC/{train/<synset>,val}/*.JPEG`, whose validation images lie side by side
    and have their labels in `<root>/LOC_val_solution.csv` (columns ImageId and PredictionString: synset, then boxes).

    Args:
        root: The folder.
        synsets: Synset ids that make up each class; None takes `BENCHMARK_SYNSETS`.
        side: Pictures become squares of this many pixels: the shorter side is scaled, and the middle is kept.
        keep: "memory" decodes everything once (17 classes at 256 pixels are 4.3 GB); "disk" decodes an image whenever
            it is drawn.
        corrupt: Stop at a file that is no picture, or skip it with a warning.

    Raises:
        ConfigError: If `synsets` is empty or has a class without a synset.
    """

    def __init__(
        self,
        root: str,
        synsets: dict[str, list[str]] | None = None,
        side: int = 256,
        keep: Keep = "memory",
        corrupt: Corrupt = "stop",
    ) -> None:
        self.root, self.side, self.keep, self.corrupt = Path(root), side, keep, corrupt
        self.synsets = class_groups(BENCHMARK_SYNSETS if synsets is None else synsets)
        self.classes = tuple(self.synsets)

    def load(self, split: Split) -> Labelled:
        """See `ImageDataset.load`."""
        self.check_split(split)
        name = "train" if split == "train" else "val"
        folder = next((path for path in (self.root / name, self.root / _KAGGLE / name) if path.is_dir()), None)
        if folder is None:
            raise DatasetNotFoundError("ImageNet", str(self.root / name), _REMEDY)
        in_folders = any((folder / synset).is_dir() for group in self.synsets.values() for synset in group)
        if split == "test" and not in_folders:
            files = self._listed(folder)
        else:
            files = class_files("ImageNet", folder, self.synsets)
        return kept(LabelledFiles.of_classes(files, self.side), self.keep, self.corrupt)

    def _listed(self, folder: Path) -> dict[str, list[Path]]:
        """Validation images of each class, by Kaggle's table."""
        path = self.root / _LISTING
        if not path.is_file():
            raise DatasetNotFoundError("ImageNet", str(path), f"It comes with Kaggle's archive and labels {folder}.")
        try:
            table = pd.read_csv(path)
            synset = table["PredictionString"].str.split().str[0]
            images = (table["ImageId"] + ".JPEG").groupby(synset).agg(list)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise DatasetError(f"{path} is no table of ImageId and PredictionString: {error!r}.") from error
        missing = [synset for group in self.synsets.values() for synset in group if synset not in images]
        if missing:
            raise DatasetError(f"{path} has no image of {', '.join(missing)}.")
        return {
            name: [folder / file for synset in group for file in images[synset]] for name, group in self.synsets.items()
        }
