"""No test image in training, whatever the folders say."""

import warnings
from typing import Literal

import torch

from synthreal.datasets.base import Labelled
from synthreal.errors import DatasetError

Overlap = Literal["stop", "drop"]


def without_leaks(images: Labelled, test: Labelled, overlap: Overlap) -> Labelled:
    """Returns the images whose content is not in the test set too.

    Args:
        images: Images to train on or to choose a checkpoint with.
        test: The test set.
        overlap: What to do about images that are in both: stop with an error, or drop them with a warning.

    Raises:
        DatasetError: If an image is in both and `overlap` is "stop".
    """
    known = set(test.digests())
    leaks = torch.tensor([digest in known for digest in images.digests()], dtype=torch.bool)
    if not bool(leaks.any()):
        return images
    where = leaks.nonzero()[:, 0]
    label = images.classes[int(images.labels[where[0]])]
    found = (
        f"{len(where)} of {len(images)} images for training or validation are in the test set too "
        f"(number {int(where[0])}, {label!r})"
    )
    if overlap == "stop":
        raise DatasetError(f"{found}. Remove them from one of the two, or set overlap to drop.")
    warnings.warn(f"{found}; they are dropped.", stacklevel=2)
    return images.select((~leaks).nonzero()[:, 0])
