"""scikit-learn's two bundled photos, cut up: real backgrounds, no download."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from sklearn.datasets import load_sample_image

from synthreal.datasets.pictures import Pictures, PictureSource, shared
from synthreal.errors import ConfigError

Photo = Literal["china", "flower"]
_PHOTOS: tuple[Photo, ...] = ("china", "flower")
_HEIGHT, _WIDTH = 427, 640
_LEAST = 16


class SamplePhotos(PictureSource):
    """Square tiles of a temple ("china") and of a flower, for every class alike; neighbours share half or more.

    Two photos are few: enough to see a method work, and with one for training and the other for testing, that it does
    not know its backgrounds by heart. For results take `Photos`.

    Args:
        photos: Which of the two.
        side: Side of the tiles, pixels, 16 to 427.

    Raises:
        ConfigError: If no photo is given, one is unknown or given twice, or the side is out of range.
    """

    def __init__(self, photos: Sequence[Photo] = _PHOTOS, side: int = 128) -> None:
        if not photos or not set(photos) <= set(_PHOTOS) or len(set(photos)) < len(photos):
            raise ConfigError(f"photos names {' or '.join(_PHOTOS)}, or both, once each, not {list(photos)}.")
        if not _LEAST <= side <= _HEIGHT:
            raise ConfigError(f"side is {_LEAST} to {_HEIGHT} pixels, the height of the photos, not {side}.")
        self.photos, self.side = tuple(photos), side

    def load(self, classes: Sequence[str]) -> Pictures:
        """See `PictureSource.load`."""
        side, tiles, names = self.side, [], []
        for name in self.photos:
            photo = load_sample_image(f"{name}.jpg")
            for top in _starts(_HEIGHT, side):
                for left in _starts(_WIDTH, side):
                    tiles.append(photo[top : top + side, left : left + side])
                    names.append(f"{name} {left} {top}")
        return shared(torch.from_numpy(np.stack(tiles).transpose(0, 3, 1, 2).copy()), names, len(classes))


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin that cover a length, spread evenly, each at most half a side after the one before."""
    step = side // 2
    count = math.ceil((length - side) / step) + 1
    return [int(start) for start in np.linspace(0, length - side, count).round()]
