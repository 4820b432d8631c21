"""scikit-learn's bundled handwritten digits: real scans, no download."""

import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from synthreal.batch import LabelledImages
from synthreal.datasets.base import ImageDataset, Split
from synthreal.errors import ConfigError

_WRITTEN = 1797


class Digits(ImageDataset):
    """1,797 digits of 8 × 8 pixels, enlarged; the first are for training, the rest for testing (other writers).

    Args:
        image_size: Side of the images, pixels, at least 8.
        train_size: How many of them are the training set, 1 to 1,796.

    Raises:
        ConfigError: If a value is out of range.
    """

    classes = tuple("0123456789")

    def __init__(self, image_size: int = 16, train_size: int = 1000) -> None:
        if image_size < 8:
            raise ConfigError(f"image_size is at least 8, not {image_size}.")
        if not 0 < train_size < _WRITTEN:
            raise ConfigError(f"train_size is 1 to {_WRITTEN - 1}, not {train_size}.")
        self.image_size, self.train_size = image_size, train_size

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`."""
        self.check_split(split)
        pixels, labels = load_digits(return_X_y=True)
        part = slice(None, self.train_size) if split == "train" else slice(self.train_size, None)
        image = torch.from_numpy(pixels[part]).float().view(-1, 1, 8, 8) * (255 / 16)
        image = F.interpolate(image, size=(self.image_size, self.image_size), mode="bilinear")
        return LabelledImages(image.round().byte(), torch.from_numpy(labels[part]).long(), self.classes)
