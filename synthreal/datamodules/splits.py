"""Disjoint parts of a set of labelled images, the same number from each class."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch

from synthreal.datasets.base import Labelled
from synthreal.errors import ConfigError

Set = TypeVar("Set", bound=Labelled)


def split_by_class(images: Set, per_class: Mapping[str, int | None], seed: int) -> dict[str, Set]:
    """Splits images into disjoint named parts, shuffled by `seed`.

    Args:
        images: What to split.
        per_class: Images of each class in each part; None takes what is left, and only the last part may.
        seed: Seed of the shuffle.

    Raises:
        ConfigError: If a class has too few images, a count is negative, or None is not last.
    """
    if any(count is None for count in list(per_class.values())[:-1]) or any((c or 0) < 0 for c in per_class.values()):
        raise ConfigError(f"Images of each class are counts of at least 0, and only the last may be open: {per_class}.")
    order = torch.from_numpy(np.random.default_rng([seed, 0]).permutation(len(images)))
    pools = [order[images.labels[order] == label] for label in range(len(images.classes))]
    parts = {}
    start = 0
    for name, count in per_class.items():
        stop = None if count is None else start + count
        for label, pool in enumerate(pools):
            if count is not None and len(pool) < start + count:
                raise ConfigError(
                    f"Class {images.classes[label]!r} has {len(pool)} training images; "
                    f"{start + count} are needed up to and with the part {name!r} ({dict(per_class)} a class)."
                )
        # Sorted, so that a part does not depend on the order of its classes.
        parts[name] = images.select(torch.cat([pool[start:stop] for pool in pools]).sort().values)
        start += count or 0
    return parts  # type: ignore[return-value]  # select keeps the type
