"""Digits drawn from fonts: synthetic images of digits with no download."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from synthreal.batch import Batch, Draws, synthetic_batch
from synthreal.errors import ConfigError
from synthreal.generators.base import ImageGenerator
from synthreal.generators.randomness import normals
from synthreal.rendering.compositing import affine_grid
from synthreal.rendering.fonts import FONTS, TILE, check_fonts, distance_field
from synthreal.spaces import Categorical, Continuous, Product

_DIGITS = "0123456789"
_BINS = {"rotation": 4, "shear": 2, "stroke": 3}
_UNITS = {"rotation": "degrees", "right": "px", "down": "px", "blur": "px"}
_LIMITS = {
    "scale": (0.01, math.inf),
    "aspect": (0.01, math.inf),
    "blur": (1.0, math.inf),
    "noise": (0.0, math.inf),
    "contrast": (0.0, 1.0),
}
_NOISE = 0


class Glyphs(ImageGenerator):
    """Light digits on a dark ground, from matplotlib's open fonts, in one `grid_sample` pass over the batch.

    A digit is kept as a field of signed distances to its outline, so that strokes of any weight and edges of any
    softness are a threshold away. Its upright box is centred. u is (class, font, rotation, scale, aspect, shear,
    right, down, stroke, blur, noise, contrast); the seed only picks the noise.

    A range is (smallest, largest) value; the same value twice fixes it, to within a millionth.

    Args:
        image_size: Side of the images, pixels, at least 8.
        fonts: Names out of `synthreal.rendering.fonts.FONTS`; None for all of them.
        rotation: Angle, degrees counter-clockwise.
        scale: Longer side of the digit, share of the image's side, at least 0.01.
        aspect: Width of the digit, times the font's, at least 0.01.
        shear: Slant, pixels to the right for each pixel up.
        shift: Shift to the right, and another one down, pixels.
        stroke: How far the outline moves outwards, times the digit's longer side.
        blur: Width of the edge from dark to light, pixels, at least 1.
        noise: Standard deviation of the noise of each pixel, at least 0; the image is clipped to [0, 1].
        contrast: Brightness of the strokes, 0 to 1.
        bins: Number of buckets of each axis, 1 where none is given; None for 4 of rotation, 2 of shear and 3 of
            stroke, which makes 240 with the class. "font" is an axis, too: the position in `fonts`.

    Raises:
        ConfigError: If a range runs downward or leaves its limits, or a font or an axis is unknown.
    """

    num_classes = len(_DIGITS)

    def __init__(
        self,
        image_size: int = 16,
        fonts: Sequence[str] | None = None,
        rotation: tuple[float, float] = (-15.0, 15.0),
        scale: tuple[float, float] = (0.7, 1.0),
        aspect: tuple[float, float] = (0.7, 1.1),
        shear: tuple[float, float] = (-0.3, 0.3),
        shift: tuple[float, float] = (-1.0, 1.0),
        stroke: tuple[float, float] = (-0.01, 0.04),
        blur: tuple[float, float] = (1.0, 3.0),
        noise: tuple[float, float] = (0.0, 0.05),
        contrast: tuple[float, float] = (0.7, 1.0),
        bins: dict[str, int] | None = None,
    ) -> None:
        fonts = FONTS if fonts is None else fonts
        check_fonts(fonts)
        if image_size < 8:
            raise ConfigError(f"image_size is at least 8, not {image_size}.")
        ranges = {"font": (0.0, float(len(fonts))), "rotation": rotation, "scale": scale, "aspect": aspect}
        ranges |= {"shear": shear, "right": shift, "down": shift, "stroke": stroke}
        ranges |= {"blur": blur, "noise": noise, "contrast": contrast}
        self.image_size = image_size
        self.space = Product([Categorical("class", _DIGITS), *_axes(ranges, _BINS if bins is None else bins)])
        self._fields = torch.stack([distance_field(font, digit) for font in fonts for digit in _DIGITS])[:, None]

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`; mask is what the strokes cover, before contrast and noise."""
        self._fields = self._fields.to(device)
        size = self.image_size
        u = dict(zip(self.space.columns, draws["parameters"].unbind(1), strict=True))
        label = u["class"].long()
        # the end of the last bucket belongs to it
        font = u["font"].long().clamp(max=len(self._fields) // len(_DIGITS) - 1)
        field = self._fields.index_select(0, font * len(_DIGITS) + label)
        grid = affine_grid(_matrices(u, size), size, size)
        distance = F.grid_sample(field, grid, padding_mode="border", align_corners=False)
        # beyond its border a tile goes on as far as the pixel lies from it
        distance = distance - (grid.abs() - 1).clamp(min=0).amax(-1)[:, None] * (TILE / 2)
        # one unit of distance in pixels: the mean of its length down and across
        unit = u["scale"] * size * u["aspect"].sqrt()
        stroke, slope = u["stroke"][:, None, None, None], (unit / u["blur"])[:, None, None, None]
        mask = ((distance + stroke) * slope + 0.5).clamp(0, 1)
        noise = normals(draws["seed"], _NOISE, size * size).view_as(mask)
        image = mask * u["contrast"][:, None, None, None] + noise * u["noise"][:, None, None, None]
        batch = synthetic_batch(image.clamp(0, 1), label, draws)
        batch["mask"] = mask
        return batch


def _axes(ranges: Mapping[str, tuple[float, float]], bins: Mapping[str, int]) -> list[Continuous]:
    unknown = set(bins) - set(ranges)
    if unknown:
        raise ConfigError(f"bins names unknown axes {sorted(unknown)}: the axes are {', '.join(ranges)}.")
    axes = []
    for name, (low, high) in ranges.items():
        least, most = _LIMITS.get(name, (-math.inf, math.inf))
        if not least <= low <= high <= most:
            raise ConfigError(f"{name} = [{low}, {high}] must run upward and lie within [{least}, {most}].")
        # the spaces have no axis of length 0
        end = max(high, low + 1e-6 * max(1.0, abs(low)))
        axes.append(Continuous(name, low, end, bins.get(name, 1), _UNITS.get(name, "")))
    return axes


def _matrices(u: Mapping[str, Float[Tensor, " s"]], size: int) -> Float[Tensor, "s 2 3"]:
    """From pixels of the image to those of the tile: shift, turn, slant and scale undone, in this order."""
    angle = u["rotation"] * (math.pi / 180)
    cos, sin = angle.cos() / (TILE * u["scale"]), angle.sin() / (TILE * u["scale"])
    right, down = u["right"] * (2 / size), u["down"] * (2 / size)
    xx, xy = (cos + u["shear"] * sin) / u["aspect"], (u["shear"] * cos - sin) / u["aspect"]
    return torch.stack([xx, xy, -xx * right - xy * down, sin, cos, -sin * right - cos * down], 1).view(-1, 2, 3)
