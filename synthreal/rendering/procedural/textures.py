"""Small textures of the procedural meshes: uint8 RGB [h, w, 3], row 0 at v = 1; all repeat without a seam."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import zoom

from synthreal.rendering.procedural.paint import Colour

Texture = UInt8[np.ndarray, "h w 3"]
SIZE = 96


def stripes(first: Colour, second: Colour, count: int, share: float = 0.5, upright: bool = False) -> Texture:
    """Returns level stripes (or upright ones); `share` is the second colour's part of each."""
    u, v = _grid()
    return _pick(((u if upright else v) * count) % 1 < share, first, second)


def checker(first: Colour, second: Colour, count: int) -> Texture:
    """Returns `count` × `count` fields; an even count repeats without a seam."""
    u, v = _grid()
    return _pick((np.floor(u * count) + np.floor(v * count)) % 2 > 0, first, second)


def dots(ground: Colour, dot: Colour, count: int, radius: float = 0.3) -> Texture:
    """Returns `count` × `count` round dots; the radius is relative to their distance."""
    u, v = _grid()
    return _pick(np.hypot((u * count) % 1 - 0.5, (v * count) % 1 - 0.5) < radius, ground, dot)


def bands(colours: Sequence[tuple[float, Colour]], upright: bool = False) -> Texture:
    """Returns bands along v (or u): for each, where it ends, and its colour."""
    u, v = _grid()
    band = np.searchsorted([end for end, _ in colours[:-1]], u if upright else v, side="right")
    return _bytes(np.array([colour for _, colour in colours])[band])


def panels(ground: Colour, line: Colour, columns: int, rows: int, width: float = 0.06) -> Texture:
    """Returns fields parted by thin lines; `width` is that of a line, relative to the texture."""
    u, v = _grid()
    edge = ((u * columns) % 1 < width * columns) | ((v * rows) % 1 < width * rows)
    return _pick(edge, ground, line)


def windows(wall: Colour, glass: Colour, count: int, fill: tuple[float, float] = (0.6, 0.5)) -> Texture:
    """Returns a row of windows; `fill` is the part of the width and height that they take."""
    u, v = _grid()
    inside = (np.abs((u * count) % 1 - 0.5) < fill[0] / 2) & (np.abs(v - 0.5) < fill[1] / 2)
    return _pick(inside, wall, glass)


def spokes(count: int, metal: Colour, gap: Colour, hub: float = 0.25, rim: float = 0.82) -> Texture:
    """Returns a wheel: `count` spokes between hub and rim, whose radii are relative to the half side."""
    u, v = _grid()
    radius, angle = np.hypot(u - 0.5, v - 0.5) * 2, np.arctan2(v - 0.5, u - 0.5)
    open_ = (radius > hub) & (radius < rim) & (np.cos(angle * count) < 0.1)
    return _pick(open_ | (radius < hub * 0.35), metal, gap)


def noise(rng: np.random.Generator, first: Colour, second: Colour, cells: int = 8, steps: int = 0) -> Texture:
    """Returns clouds between two colours, `cells` across; `steps` parts them into as many flat tones (camouflage)."""
    amount = _clouds(rng, cells, cells)
    if steps:
        amount = np.floor(amount * steps).clip(max=steps - 1) / max(steps - 1, 1)
    return _mix(amount, first, second)


def wood(rng: np.random.Generator, colour: Colour, contrast: float = 0.35) -> Texture:
    """Returns grain that runs along u."""
    v = _grid()[1]
    rings = np.sin(2 * np.pi * (v * int(rng.integers(3, 7)) + 1.2 * _clouds(rng, 3, 2)))
    fibre = _clouds(rng, 24, 3)
    amount = (0.5 + 0.3 * rings + 0.6 * (fibre - 0.5)).clip(0, 1)
    red, green, blue = (channel * (1 - contrast) for channel in colour)
    return _mix(amount, (red, green, blue), colour)


def framed(image: Texture, low: float, high: float, ground: Colour) -> UInt8[np.ndarray, "rows w 3"]:
    """Returns a texture that shows `image` between two values of v, and `ground` below and above."""
    height, width = image.shape[:2]
    below, above = (round(height * part / (high - low)) for part in (low, 1 - high))
    plain = _bytes(np.full((above + below, width, 3), ground))
    return np.concatenate([plain[:above], image, plain[above:]])


def _clouds(rng: np.random.Generator, rows: int, columns: int) -> Float[np.ndarray, "h w"]:
    """Smooth noise, stretched to 0 to 1."""
    field = zoom(rng.random((rows, columns)), (SIZE / rows, SIZE / columns), order=3, mode="grid-wrap", grid_mode=True)
    return (field - field.min()) / (np.ptp(field) + 1e-12)


def _grid() -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """U and v of each texel's middle."""
    middle = (np.arange(SIZE) + 0.5) / SIZE
    return np.broadcast_to(middle, (SIZE, SIZE)), np.broadcast_to(1 - middle[:, None], (SIZE, SIZE))


def _pick(where: Bool[np.ndarray, "h w"], first: Colour, second: Colour) -> Texture:
    return _bytes(np.where(where[..., None], second, first))


def _mix(amount: Float[np.ndarray, "h w"], first: Colour, second: Colour) -> Texture:
    return _bytes(np.array(first) + amount[..., None] * (np.array(second) - np.array(first)))


def _bytes(image: Float[np.ndarray, "h w 3"]) -> Texture:
    return (image.clip(0, 1) * 255).round().astype(np.uint8)
