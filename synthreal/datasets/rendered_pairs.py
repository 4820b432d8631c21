"""Pairs for GM-CML that `predict` wrote: an object on a background, and its class colour shaded by depth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from synthreal.datasets.base import Split
from synthreal.datasets.rendered import RenderedFolder
from synthreal.errors import DatasetError

_VIEWPOINT = ("azimuth", "elevation", "tilt")


@dataclass(frozen=True)
class Pairs:
    """Images with their semantic maps, and how they were made.

    Args:
        images: RGB (O in GM-CML, sec. VI).
        semantic: Class colour shaded by depth, no background (M).
        labels: Values 0 to len(classes) - 1.
        classes: Name of each class.
        columns: Name of each parameter: class, azimuth, elevation, tilt, then what else the manifest has.
        parameters: Of each image; angles of the viewpoint in degrees.
    """

    images: UInt8[Tensor, "n 3 h w"]
    semantic: UInt8[Tensor, "n 3 h w"]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    parameters: Float[Tensor, "n d"]

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Pairs":
        """Returns the same pairs on `device`."""
        tensors = (tensor.to(device) for tensor in (self.images, self.semantic, self.labels, self.parameters))
        images, semantic, labels, parameters = tensors
        return Pairs(images, semantic, labels, self.classes, self.columns, parameters)


class RenderedPairs(RenderedFolder):
    """What `DatasetWriter` wrote with `outputs: [semantic]`, in either layout. Its arguments are `RenderedFolder`'s.

    Pairs made otherwise are read in the same format, a folder with
    - `dataset.json`: {"format": "synthreal data set 1", "count": number of pairs, "classes": [names]};
    - `manifest.csv` with path (`image/…`), index, class, label, model (to split by), viewpoint.azimuth, .elevation and
      .tilt (degrees, under these full names), and any other parameter, such as those of the lights, as `u.<name>`;
    - the RGB pictures, and the map of each `image/…` at `semantic/…`, under the same name and of the same size.
    """

    def pairs(self, split: Split) -> Pairs:
        """Returns the pairs of a split, in the order of the manifest; `load` returns the images alone.

        Raises:
            ConfigError: If there is no such split, or they are to be split by instance, but have no models.
            DatasetNotFoundError: If images are missing.
            DatasetError: If images lack their maps, the two differ in size or are not RGB, or viewpoints are missing.
        """
        held = self._description.get("pictures", {"semantic": "not said"})
        if "semantic" not in held:
            raise DatasetError(
                f"{self.root} was written without semantic maps; it has {', '.join(held)}. Write it to another folder "
                "with `outputs: [semantic]` for both DatasetWriter and the generator."
            )
        pixels, table = self._load(split, ["semantic"])
        if pixels.shape[1] != 6:
            raise DatasetError(
                f"{self.root}: images and maps must be RGB, 6 channels together, not {pixels.shape[1]}. Let the "
                "generator make colour images: Painted does it for grey ones."
            )
        columns, parameters = self._parameters(table)
        both, labels = torch.from_numpy(pixels), torch.tensor(table["label"].to_numpy())
        return Pairs(both[:, :3], both[:, 3:], labels, self.classes, columns, parameters)

    def _parameters(self, table: pd.DataFrame) -> tuple[tuple[str, ...], Float[Tensor, "n d"]]:
        manifest = self.root / "manifest.csv"
        views = {name: f"viewpoint.{name}" for name in _VIEWPOINT}
        if missing := sorted(set(views.values()) - set(table)):
            raise DatasetError(
                f"{manifest} has no {', '.join(missing)}, which tell close poses from far ones: pairs need a generator "
                "whose batches have a viewpoint, such as MeshImages."
            )
        names = [name.removeprefix("u.") for name in map(str, table) if name.startswith("u.")]
        held = {"class": "label", **views} | {name: f"u.{name}" for name in names if name not in ("class", *_VIEWPOINT)}
        numbers = table[list(held.values())].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
        wrong = np.argwhere(~np.isfinite(numbers))
        if len(wrong):
            path, name = table["path"].iloc[wrong[0, 0]], list(held.values())[wrong[0, 1]]
            raise DatasetError(
                f"{manifest}: {path} has {name} = {table[name].iloc[wrong[0, 0]]!r}, which is no finite number (of "
                f"{len(wrong)} such values the first). Mend it, or leave out the column if it begins with u."
            )
        return tuple(held), torch.tensor(numbers)  # a copy: pandas may keep its own read-only
