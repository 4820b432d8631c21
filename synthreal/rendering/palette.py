"""A colour for each class."""

import colorsys

import torch
from jaxtyping import Float
from torch import Tensor


def class_colours(count: int) -> Float[Tensor, "c 3"]:
    """Returns RGB colours of equal strength, their hues spread evenly; every other one paler, to tell neighbours apart.

    Any number of classes by one rule; GM-CML fixes 12 colours and does not list them.
    """
    rows = [colorsys.hsv_to_rgb(i / count, 1.0 if i % 2 == 0 else 0.55, 1.0) for i in range(count)]
    return torch.tensor(rows, dtype=torch.float32).view(count, 3)
