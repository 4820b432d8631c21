"""Batches to PNG files: whole numbers of 8 or 16 bits on the device, one copy to the host for each kind of picture."""

import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from synthreal.batch import Batch
from synthreal.errors import ConfigError

Map = Literal["mask", "depth", "normals", "semantic"]
"""Pictures that a batch may hold besides its images."""

ENCODING = {
    "image": "8 bits: value · 255; with alpha the colours are straight, not multiplied by it",
    "mask": "8 bits: share of the pixel that the object covers · 255",
    "depth": "16 bits: distance from the camera's plane · 4096, units of the mesh; 0 where there is nothing",
    "normals": "8 bits: 128 + 127 · (right, up, towards the camera); 128 128 128 where there is nothing",
    "semantic": "8 bits: value · 255",
}
"""How each picture's values are written."""

_DEPTH_SCALE = 4096
_LEVEL = 1  # level 6 takes twice as long and saves a sixth


def encode(batch: Batch, maps: Sequence[Map], transparent: bool) -> dict[str, np.ndarray]:
    """Returns the pixels of a batch's images and maps as they are written: name → uint8 or uint16 [B, H, W(, C)].

    Args:
        batch: Has the image and each of the maps.
        maps: Which maps.
        transparent: Adds the mask as alpha; the image is taken to be premultiplied by it.

    Raises:
        ConfigError: If the batch lacks a map, or a depth is too large to write.
    """
    tables: dict[str, Any] = dict(batch)
    needed = {*maps, "mask"} if transparent else {*maps}
    if missing := sorted(needed - tables.keys()):
        held = [name for name in ENCODING if name in tables]
        raise ConfigError(
            f"The generator makes {', '.join(held)} but no {', '.join(missing)}: change DatasetWriter's `outputs` and "
            "`transparent`, or let the generator make it."
        )
    image = _with_alpha(batch["image"], batch["mask"]) if transparent else batch["image"]
    pixels = {"image": _bytes(image)}
    for name in maps:
        if name == "depth":
            pixels[name] = _sixteen_bits(batch["depth"])
        elif name == "normals":
            pixels[name] = _bytes((batch["normals"] * 127 + 128) / 255)
        else:
            pixels[name] = _bytes(tables[name])
    return pixels


def png(pixels: np.ndarray) -> bytes:
    """Returns a PNG file of uint8 [H, W] or [H, W, 2 (grey, alpha), 3 or 4], or uint16 [H, W]."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=_LEVEL)
    return file.getvalue()


def _with_alpha(image: Float[Tensor, "b c h w"], mask: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b d h w"]:
    straight = torch.where(mask > 0, image / mask.clamp(min=torch.finfo(mask.dtype).tiny), 0)
    return torch.cat([straight, mask], 1)


def _bytes(values: Float[Tensor, "b c h w"]) -> np.ndarray:
    return _channels_last(values.mul(255).round().clamp(0, 255).byte())


def _sixteen_bits(depth: Float[Tensor, "b 1 h w"]) -> np.ndarray:
    if float(depth.max()) > (2**16 - 1) / _DEPTH_SCALE:
        raise ConfigError(
            f"A depth of {float(depth.max()):g} is beyond the 16 units that a PNG can hold: bring the camera closer, "
            "or leave out the depth."
        )
    return _channels_last(depth.mul(_DEPTH_SCALE).round().int()).astype(np.uint16)


def _channels_last(values: Tensor) -> np.ndarray:
    pixels: np.ndarray = values.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels[..., 0] if pixels.shape[3] == 1 else pixels
