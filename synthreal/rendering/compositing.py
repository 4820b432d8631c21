"""Pictures over pictures: whole batches, on the device."""

import math

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F


def affine_grid(matrix: Float[Tensor, "n 2 3"], height: int, width: int) -> Float[Tensor, "n h w 2"]:
    """Returns what `F.affine_grid(…, align_corners=False)` does, up to rounding.

    A sum of one term a column and one a row, instead of a matrix product a pixel; x and y lie in planes of their
    own, which `grid_sample` reads fastest.
    """
    x = (2 * torch.arange(width, device=matrix.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=matrix.device) + 1) / height - 1
    columns = matrix[:, :, :1] * x
    rows = torch.addcmul(matrix[:, :, 2:], matrix[:, :, 1:2], y)
    return (rows[:, :, :, None] + columns[:, :, None, :]).permute(0, 2, 3, 1)


def over(
    image: Float[Tensor, "b c h w"], mask: Float[Tensor, "b 1 h w"], background: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c h w"]:
    """Returns a premultiplied image over a background (Porter and Duff 1984)."""
    return torch.addcmul(image, background, 1 - mask)


def crops(
    pictures: UInt8[Tensor, "n 3 s s"],
    index: Int[Tensor, " b"],
    place: Float[Tensor, "b 4"],
    size: int,
    smallest: float = 0.5,
) -> Float[Tensor, "b 3 h w"]:
    """Returns a random square part of a picture for each sample, values in [0, 1].

    Args:
        pictures: Where to cut from.
        index: Which picture.
        place: Scale, column, row and mirroring, each in [0, 1).
        size: Side of the parts, pixels.
        smallest: Least side of a part, as a share of the picture's.
    """
    side = smallest + (1 - smallest) * place[:, 0]
    centre = (1 - side[:, None]) * (2 * place[:, 1:3] - 1)
    mirror = torch.where(place[:, 3] < 0.5, 1.0, -1.0)
    zero = torch.zeros_like(side)
    matrix = torch.stack([side * mirror, zero, centre[:, 0], zero, side, centre[:, 1]], 1).view(-1, 2, 3)
    grid = affine_grid(matrix, size, size)
    picture = pictures.index_select(0, index).float().div_(255)
    return F.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def boxes(mask: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 4"]:
    """Returns left, top, right and bottom of what a mask covers by half a pixel or more; 0 where that is nothing."""
    # The largest of a column first: `any` over every pixel takes six times as long.
    across, down = (mask[:, 0].amax(axis) >= 0.5 for axis in (1, 2))
    (left, right), (top, bottom) = _extent(across), _extent(down)
    return torch.stack([left, top, right, bottom], 1).float()


def _extent(seen: Bool[Tensor, "b n"]) -> tuple[Int[Tensor, " b"], Int[Tensor, " b"]]:
    """First and one beyond the last True of each row."""
    length = seen.shape[1]
    number = torch.arange(length, device=seen.device)
    first = torch.where(seen, number, length).amin(1)
    end = torch.where(seen, number + 1, 0).amax(1)
    return first * (end > 0), end


def turned_square(angle: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """Returns the side of the upright square around a unit square turned by `angle` degrees."""
    radian = angle * (math.pi / 180)
    return radian.cos().abs() + radian.sin().abs()
