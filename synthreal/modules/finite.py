"""Training that ends once its losses or weights are no numbers."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from synthreal.errors import TrainingError

_STATISTICS = ("running_mean", "running_var")


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
    """Checks weights, and batch norm's statistics, before they are saved: a step may break them and its loss not tell.

    Other buffers, such as masks, may hold infinity.

    Args:
        module: Whose parameters and statistics.
        where: When they were: "at step 3".
        advice: What to do, a sentence.

    Raises:
        TrainingError: If one is NaN or infinite.
    """
    statistics = {name: held for name, held in module.named_buffers() if name.endswith(_STATISTICS)}
    weights = {**dict(module.named_parameters()), **statistics}
    if weights and not (sound := torch.stack([weight.isfinite().all() for weight in weights.values()])).all():
        name = list(weights)[int(sound.int().argmin())]
        raise TrainingError(f"The weights {name} are no numbers {where}. {advice} The last checkpoint is sound.")
