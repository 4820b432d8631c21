"""A fixed set of synthetic images, made once."""

import torch
from jaxtyping import Int
from rich.progress import track
from torch import Tensor

from synthreal.batch import Batch, Draws, LabelledImages, select_draws
from synthreal.generators import ImageGenerator

_MOST_BYTES = 2**31
_AT_A_TIME = 256


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
