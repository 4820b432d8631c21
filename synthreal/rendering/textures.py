"""Textures of any size packed into one tensor, with smaller copies for distant surfaces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from synthreal.errors import MeshError

LEVELS = 12
_MOST_TEXELS = 2**31 - 1
"""What the kernels can count."""


@dataclass(frozen=True)
class PackedTextures:
    """Every texture at full size, half, quarter … one texel (a mip pyramid of area means).

    Args:
        texels: int32, red in the lowest byte, then green and blue; rows of a level one after another, top first.
        start: First texel of each level; levels beyond the last repeat it.
        size: Width and height of level 0.
    """

    texels: Int[Tensor, " t"]
    start: Int[Tensor, "n 12"]
    size: Int[Tensor, "n 2"]

    def __len__(self) -> int:
        return len(self.size)

    def to(self, device: torch.device) -> "PackedTextures":
        """Returns the same textures on `device`."""
        return PackedTextures(self.texels.to(device), self.start.to(device), self.size.to(device))


def pack_textures(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], largest: int = 512) -> PackedTextures:
    """Packs uint8 RGB images.

    Args:
        images: Row 0 is the top (v = 1).
        largest: Longer side at most, texels; a larger image is shrunk to it.

    Raises:
        MeshError: If they have more than 2³¹ - 1 texels in all.
    """
    texels: list[Tensor] = []
    start = torch.zeros(len(images), LEVELS, dtype=torch.int32)
    size = torch.zeros(len(images), 2, dtype=torch.int32)
    end = 0
    for i, image in enumerate(images):
        levels = _pyramid(image, largest)
        _check_total(end + sum(table.numel() for table in levels), i + 1, len(images))
        for level, table in enumerate(levels):
            if level == 0:
                size[i] = torch.tensor([table.shape[1], table.shape[0]])
            start[i, level:] = end
            texels.append(table.flatten())
            end += table.numel()
    return PackedTextures(torch.cat(texels) if texels else torch.zeros(1, dtype=torch.int32), start, size)


def join_textures(first: PackedTextures, second: PackedTextures) -> PackedTextures:
    """Returns the textures of both, the second's numbered after the first's.

    Raises:
        MeshError: If they have more than 2³¹ - 1 texels in all.
    """
    count = len(first) + len(second)
    _check_total(len(first.texels) + len(second.texels), count, count)
    return PackedTextures(
        torch.cat([first.texels, second.texels]),
        torch.cat([first.start, second.start + len(first.texels)]),
        torch.cat([first.size, second.size]),
    )


def _check_total(texels: int, count: int, every: int) -> None:
    if texels > _MOST_TEXELS:
        raise MeshError(
            f"The textures have more than {_MOST_TEXELS:,} texels: {count:,} of {every:,} textures have {texels:,}, "
            "smaller copies included; lower texture_size or limit_per_class."
        )


def _pyramid(image: UInt8[np.ndarray, "h w 3"], largest: int) -> list[Tensor]:
    """Levels of one texture, each int32 [h, w]; the last is a single texel."""
    full = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    height, width = full.shape[-2:]
    shrink = min(1.0, largest / max(height, width))
    height, width = max(1, round(height * shrink)), max(1, round(width * shrink))
    levels = []
    for _ in range(LEVELS):
        byte = F.interpolate(full, (height, width), mode="area")[0].round().int()
        levels.append(byte[0] | (byte[1] << 8) | (byte[2] << 16))
        if height == width == 1:
            break
        height, width = max(1, height // 2), max(1, width // 2)
    return levels
