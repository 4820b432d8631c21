"""A fixed set of synthetic images: which they are, and making them once."""

import numpy as np
import torch
from jaxtyping import Int
from rich.progress import track
from torch import Tensor

from synthreal.batch import Batch, Draws, LabelledImages, select_draws
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.samplers import even_draws

_MOST_BYTES = 2**31
_AT_A_TIME = 256

_POOL, _SUBSET = 20, 21  # random streams of their own


def fixed_set(generator: ImageGenerator, size: int | None, seed: int) -> Draws | None:
    """Returns the draws of a fixed set.

    Args:
        generator: Where the images come from.
        size: How many: of those that the generator has stored, or new ones spread evenly over its space. None for all
            that are stored.
        seed: Seed of the choice.

    Returns:
        The draws; None if nothing is stored and no size is given.

    Raises:
        ConfigError: If the size is below 0, or fewer are stored.
    """
    if size is not None and size < 0:
        raise ConfigError(f"The size of a fixed set of synthetic images is at least 0, not {size}.")
    stored = generator.stored()
    if stored is None:
        return None if size is None else even_draws(generator.space, size, [seed, _POOL])
    count = len(stored["bucket"])
    if size is None:
        return stored
    if size > count:
        raise ConfigError(f"A fixed set's size is {size}, but only {count} synthetic images are stored.")
    order = np.random.default_rng([seed, _SUBSET]).permutation(count)[:size]
    return select_draws(stored, torch.from_numpy(np.sort(order)))


def make_once(
    generator: ImageGenerator, draws: Draws, device: torch.device, show_progress: bool
) -> LabelledImages | None:
    """Makes every image of a fixed set, in 8 bits as a data set on disk would hold them.

    Args:
        generator: Makes them.
        draws: The set.
        device: Where they are made and stay.
        show_progress: Whether to show a bar.

    Returns:
        The images, or None if they would take more than 2 GiB: then they have to be made whenever they are drawn.
    """

    def make(index: Int[Tensor, " n"]) -> Batch:
        """Images of the set, on the device."""
        rows = {key: table.to(device) for key, table in select_draws(draws, index).items()}  # type: ignore[attr-defined]
        return generator.generate(Draws(**rows), device)  # type: ignore[typeddict-item]

    count = len(draws["bucket"])
    first = make(torch.arange(1))["image"]
    if count * first.numel() > _MOST_BYTES:
        return None
    images = torch.empty((count, *first.shape[1:]), dtype=torch.uint8, device=device)
    labels = torch.empty(count, dtype=torch.int64, device=device)
    parts = torch.arange(count).split(_AT_A_TIME)
    for index in track(parts, "Synthetic images", disable=not show_progress):
        made = make(index)
        images[index[0] : index[-1] + 1] = made["image"].mul(255).round_().byte()
        labels[index[0] : index[-1] + 1] = made["label"]
    return LabelledImages(images, labels, generator.classes)
