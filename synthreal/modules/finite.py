"""Training that ends once its losses are no numbers."""

import math
from collections.abc import Mapping

from torch import Tensor

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
