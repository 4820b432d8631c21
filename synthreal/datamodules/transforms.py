"""Transforms of whole batches, each image with random numbers of its own."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn


def transform(
    image: Float[Tensor, "b c h w"], steps: Sequence[nn.Module], key: Sequence[int] | None = None
) -> Float[Tensor, "b d i j"]:
    """Applies kornia augmentations, or other modules from a batch to a batch.

    Args:
        image: Values in [0, 1].
        steps: What to apply, in order.
        key: Numbers that the random choices are a pure function of, whatever else has drawn random numbers; None for
            steps that make none.
    """
    if not steps or not len(image):
        return image
    if key is None:
        return nn.Sequential(*steps)(image)
    seed = int(np.random.SeedSequence(list(key)).generate_state(1, np.uint64)[0] >> 1)
    devices = [image.device] if image.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        # torch.manual_seed would seed every device, and these alone are restored.
        torch.default_generator.manual_seed(seed)
        for device in devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        return nn.Sequential(*steps)(image)
