"""Pictures of meshes with shadows and reflections, one after another, by Mitsuba 3."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synthreal.errors import ConfigError
from synthreal.rendering.mitsuba_scene import scene_of
from synthreal.rendering.packing import PackedMeshes
from synthreal.rendering.rasteriser import Output, Pictures, Rasteriser
from synthreal.rendering.scene import Views


class PathTracer:
    """Draws what `Rasteriser` draws, with shadows and with the light that surfaces throw on each other and mirror.

    For pictures made ahead: a few a second. Colour and coverage are Mitsuba's; depth, normals and semantic do not
    depend on light and are the rasteriser's. A picture depends on nothing but its own row. What surfaces and lights
    become is told in `mitsuba_scene`.

    Args:
        meshes: What can be drawn.
        image_size: Side of the pictures, pixels.
        samples: Paths a pixel, 1 to 4096; rounded up to what fills a grid of cells as square as can be.
        flat: Shade each face with its own normal instead of the vertices'.

    Raises:
        ConfigError: If a size is out of range, or Mitsuba is not installed.
    """

    def __init__(self, meshes: PackedMeshes, image_size: int, samples: int = 64, flat: bool = False) -> None:
        if not 1 <= samples <= 4096:
            raise ConfigError(f"The path tracer takes 1 to 4096 samples a pixel, not {samples}.")
        self._mitsuba = _load_mitsuba()
        self._rasteriser = Rasteriser(meshes, image_size, flat=flat)
        self._meshes = meshes.to(torch.device("cpu"))
        self.image_size, self.samples, self.flat = image_size, samples, flat

    @property
    def device(self) -> torch.device:
        """Where the meshes are and the pictures will be."""
        return self._rasteriser.device

    def render(self, views: Views, outputs: Sequence[Output] = ("rgba",)) -> Pictures:
        """Returns the pictures that are asked for, one for each view. See `Rasteriser.render`."""
        maps: list[Output] = [name for name in outputs if name not in ("rgba", "mask")]
        pictures = self._rasteriser.render(views, maps) if maps else Pictures()
        if len(maps) < len(outputs):
            count, side = len(views.mesh), self.image_size
            rgba = torch.empty(count, 4, side, side)
            for i in range(count):
                rgba[i] = self._trace(views.part(slice(i, i + 1)))
            pictures["rgba"] = rgba.to(self.device)
            pictures["mask"] = pictures["rgba"][:, 3:]
        return Pictures(**{name: pictures[name] for name in outputs})  # type: ignore[typeddict-item]

    def frame(self, views: Views, fill: float = 1.0) -> Views:
        """See `Rasteriser.frame`."""
        return self._rasteriser.frame(views, fill)

    def _trace(self, view: Views) -> Float[Tensor, "4 h w"]:
        scene = scene_of(self._mitsuba, self._meshes, view, self.image_size, self.samples, self.flat)
        pixels = np.array(self._mitsuba.render(scene, seed=0), np.float32)
        rgba = torch.from_numpy(pixels).permute(2, 0, 1)
        alpha = rgba[3:].clamp(0, 1)
        return torch.cat([rgba[:3].minimum(alpha), alpha])


def _load_mitsuba() -> Any:
    try:
        mitsuba = importlib.import_module("mitsuba")
    except ImportError as error:
        raise ConfigError(
            "The path tracer draws with the package mitsuba, which cannot be imported: "
            "pip install 'synthreal[photoreal]'."
        ) from error
    mitsuba.set_variant("scalar_rgb")  # the others need LLVM or CUDA from outside pip
    mitsuba.set_log_level(mitsuba.LogLevel.Error)
    return mitsuba
