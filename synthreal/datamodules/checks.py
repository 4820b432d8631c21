"""One image of a set that is scored, before the training: a mistake there would show only after it."""

from collections.abc import Sequence

import torch
from lightning.pytorch.utilities import rank_zero_warn

from synthreal.datamodules.evaluation import EvaluationSet, GeneratedSet
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator


def check_image(held: EvaluationSet, whose: str, shape: Sequence[int], any_size: bool = False) -> None:
    """Makes the first image of a set as the model will see it, on the CPU; global random numbers stay as they are.

    Args:
        held: The set. Nothing is done if it is empty.
        whose: What it is called in errors.
        shape: Of a training image: channels, height, width.
        any_size: Whether models may take images of another size, though not of other channels: then that is a warning.

    Raises:
        DatasetNotFoundError: If files are missing that the image is made from.
        ConfigError: If it has another shape, or its generator was given no real images to start from.
    """
    if not len(held):
        return
    with torch.random.fork_rng([]):
        found = list(_first(held, whose).shape[1:])
    if found == list(shape):
        return
    message = (
        f"Images of {whose} are {found} [C, H, W] after evaluation_transform, those of training {list(shape)}: "
        "resize or crop them in evaluation_transform, or set the sizes of both sources to one."
    )
    if not any_size or found[0] != shape[0]:
        raise ConfigError(message)
    rank_zero_warn(f"{message} Many networks take one size alone.")


def _first(held: EvaluationSet, whose: str) -> torch.Tensor:
    try:
        return held.batch(held.select(torch.zeros(1, dtype=torch.int64)))["image"]
    except ConfigError as error:
        if isinstance(held, GeneratedSet) and _starts_from_real(held.generator):
            raise ConfigError(
                f"The generator of {whose} needs real images, and only that of training is given some: write its "
                "images with `predict` (GeneratedDataModule takes the real ones as `source`) and give their folder, "
                "or take another generator."
            ) from error
        raise


def _starts_from_real(generator: ImageGenerator) -> bool:
    """Whether it makes use of `bind`, or one does that it passes the real images on to."""
    inner = [part for part in vars(generator).values() if isinstance(part, ImageGenerator)]
    own = type(generator).bind is not ImageGenerator.bind
    return any(map(_starts_from_real, inner)) if inner else own
