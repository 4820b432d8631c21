"""Training that ends once its losses or weights are no numbers."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from synthreal.errors import TrainingError


def require_finite(losses: Mapping[str, Tensor], where: str, advice: str) -> None:
    """Checks losses; waits for the device, so only where they are looked at anyway, and before each checkpoint.

    Args:
        losses: By name, scalars.
        where: When they were: "at step 3".
        advice: What to do, a sentence.

    Raises:
        TrainingError: If one is NaN or infinite.
    """
    for name, loss in losses.items():
        if not math.isfinite(value := float(loss)):
            raise TrainingError(f"The {name} loss is {value} {where}. {advice} The last checkpoint is sound.")


def require_finite_weights(module: nn.Module, where: str, advice: str) -> None:
    """Checks weights before they are saved: one step may break them without its loss telling.

    Args:
        module: Whose parameters.
        where: When they were: "at step 3".
        advice: What to do, a sentence.

    Raises:
        TrainingError: If one is NaN or infinite.
    """
    weights = dict(module.named_parameters())
    if weights and not (sound := torch.stack([weight.isfinite().all() for weight in weights.values()])).all():
        name = list(weights)[int(sound.int().argmin())]
        raise TrainingError(f"The weights {name} are no numbers {where}. {advice} The last checkpoint is sound.")
