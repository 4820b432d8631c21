"""One of several disjoint parts of a data set's images."""

from typing import TypeVar

import numpy as np
import torch

from synthreal.datasets.base import ImageDataset, Labelled, Split
from synthreal.errors import ConfigError

Set = TypeVar("Set", bound=Labelled)


class DatasetPart(ImageDataset):
    """A part of every split of a data set; the parts are disjoint and hold as many images of each class, to within one.

    Several parts of one test set tell how much a score depends on the test images (benchmark paper, sec. 5.3.6).

    Args:
        dataset: The data set.
        parts: How many there are.
        part: Which one, from 0.
        seed: Seed of the shuffle.

    Raises:
        ConfigError: If there is no such part.
    """

    def __init__(self, dataset: ImageDataset, parts: int, part: int, seed: int = 0) -> None:
        if not 0 <= part < parts:
            raise ConfigError(f"part is 0 to {parts - 1} of {parts} parts, not {part}.")
        self.dataset, self.parts, self.part, self.seed = dataset, parts, part, seed
        self.classes, self.splits = dataset.classes, dataset.splits

    def load(self, split: Split) -> Labelled:
        """See `ImageDataset.load`."""
        return fold_of(self.dataset.load(split), self.parts, self.part, self.seed)


def fold_of(images: Set, folds: int, fold: int, seed: int) -> Set:
    """Returns one of `folds` disjoint parts that together hold every image; each class is cut evenly, to within one.

    Args:
        images: What to cut.
        folds: Number of parts.
        fold: Which part, from 0.
        seed: Seed of the shuffle.

    Raises:
        ConfigError: If there is no such part, or a class has fewer images than there are parts.
    """
    if not 0 <= fold < folds:
        raise ConfigError(f"fold is 0 to {folds - 1} of {folds} folds, not {fold}.")
    if folds == 1:
        return images
    order = torch.from_numpy(np.random.default_rng([seed, 1]).permutation(len(images)))
    pools = [order[images.labels[order] == label] for label in range(len(images.classes))]
    small = [images.classes[label] for label, pool in enumerate(pools) if len(pool) < folds]
    if small:
        raise ConfigError(f"The classes {small} have fewer images than there are folds ({folds}).")
    return images.select(torch.cat([pool[fold::folds] for pool in pools]).sort().values)  # type: ignore[return-value]
