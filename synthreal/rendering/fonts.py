"""Characters of the open fonts that matplotlib bundles, as signed distances to their outlines."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageFont
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from synthreal.errors import ConfigError

FONTS = (
    *("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSans-Bold", "DejaVuSans-BoldOblique", "cmss10", "cmtt10"),
    *("DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "cmr10", "cmb10", "cmti10"),
    *("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "STIXGeneralBolIta"),
)
"""Fonts with ordinary letters and digits: sans serif, serif with Computer Modern, Times."""

TILE = 1.5
"""Side of a tile, in units of the character's longer side, which fills the middle."""

_PIXELS = 96
_FINE = 2
_POINTS = 200


def check_fonts(fonts: Sequence[str]) -> None:
    """Raises ConfigError if there is no font, or one is unknown."""
    unknown = [font for font in fonts if font not in FONTS]
    if unknown or not fonts:
        raise ConfigError(f"Unknown fonts {unknown}: choose at least one of {', '.join(FONTS)}.")


@cache
def distance_field(font: str, character: str) -> Float[Tensor, "t t"]:
    """Returns the distance of each pixel of a square tile to the outline of a character, positive inside.

    The unit is the longer side of the character, which lies in the middle of a tile of side `TILE`.

    Args:
        font: One of `FONTS`.
        character: A character that leaves ink.
    """
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    # The basic layout engine draws the same on every machine, with or without libraqm.
    face = ImageFont.truetype(str(path), _POINTS, layout_engine=ImageFont.Layout.BASIC)
    mask = face.getmask(character)
    ink = Image.frombytes("L", mask.size, bytes(mask))
    ink = ink.crop(ink.getbbox())
    unit = _PIXELS * _FINE / TILE
    # Even sides lie in the middle of an even tile.
    size = [2 * max(1, round(side / max(ink.size) * unit / 2)) for side in ink.size]
    tile = Image.new("L", (_PIXELS * _FINE, _PIXELS * _FINE))
    tile.paste(ink.resize((size[0], size[1])), ((tile.width - size[0]) // 2, (tile.height - size[1]) // 2))
    inside = np.asarray(tile) >= 128
    # Half a pixel: each transform counts to the nearest pixel's middle, the outline runs between the two.
    distance = np.where(inside, distance_transform_edt(inside) - 0.5, 0.5 - distance_transform_edt(~inside))
    fine = torch.from_numpy(distance / unit).float()
    return fine.view(_PIXELS, _FINE, _PIXELS, _FINE).mean((1, 3))
