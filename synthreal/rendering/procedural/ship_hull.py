"""Hulls of ships and their paint."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import (
    WHITE,
    Colour,
    any_colour,
    between,
    choose,
    dark,
    pale,
    vivid,
)
from synthreal.rendering.procedural.solids import loft
from synthreal.rendering.procedural.textures import bands


@dataclass(frozen=True)
class Hull:
    """A hull with its bow at -y, metres; z = 0 is the water line.

    Args:
        length: From bow to stern.
        beam: Largest width.
        draught: Depth of the keel.
        freeboard: Height of the deck amidships.
        sheer: How much higher the bow is.
        flare: Width at the water line relative to the deck, amidships.
        stern: Width of the stern relative to the beam.
        rake: How far the bow leans forward above the water, relative to the length.
    """

    length: float
    beam: float
    draught: float
    freeboard: float
    sheer: float
    flare: float = 0.92
    stern: float = 0.8
    rake: float = 0.07

    def at(self, place: float) -> float:
        """Returns y of a place along the hull, 0 at the bow and 1 at the stern."""
        return (place - 0.5) * self.length

    def deck(self, place: float) -> float:
        """Returns the height of the deck there."""
        return self.freeboard + self.sheer * max(0.0, 1 - place / 0.4) ** 2

    def width(self, place: float) -> float:
        """Returns the width of the deck there."""
        bow = min(1.0, place / 0.38)
        aft = max(0.0, (place - 0.65) / 0.35)
        return self.beam * (1 - (1 - bow) ** 2.2) * (1 - (1 - self.stern) * aft**2)

    def body(self, paint: tuple[Material, Material], deck: Material) -> list[Mesh]:
        """Returns the hull and its deck; see `hull_paint`."""
        places = (0.004, 0.02, 0.05, 0.1, 0.18, 0.28, 0.4, 0.65, 0.8, 0.92, 1.0)
        skin = loft(np.stack([self._section(place) for place in places]), paint[0], cap=paint[1])
        loops = np.stack([self._plank(min(place, 0.995)) for place in places])
        return [skin, loft(loops, deck)]

    def _section(self, place: float) -> Float[np.ndarray, "14 3"]:
        """One half from the deck down to the keel, then up the other side; the deck's edges are hard."""
        half, top = self.width(place) / 2, self.deck(place)
        bow, aft = max(0.0, 1 - place / 0.3), max(0.0, (place - 0.75) / 0.25)
        water = half * (self.flare - 0.35 * bow)
        keel = -self.draught * (1 - 0.6 * aft**2)
        heights = np.array([top, 0.5 * top, 0.0, 0.55 * keel, 0.92 * keel, keel])
        widths = np.array(
            [half, (half + water) / 2, water, water * (0.9 - 0.4 * bow), water * (0.62 - 0.4 * bow), 0.05 * half]
        )
        # Above the water the bow leans forward.
        lean = self.rake * self.length * bow**2 * (1 - (heights - keel) / (top - keel))
        right = np.stack([widths, self.at(place) + lean, heights], 1)
        left = right[::-1] * (-1, 1, 1)
        return np.concatenate([right[:1], right, left, left[-1:]])

    def _plank(self, place: float) -> Float[np.ndarray, "8 3"]:
        """A slice of the deck, a little inside and above the hull's rim."""
        half, top = self.width(place) * 0.47, self.deck(place)
        under, over = top - 0.01 * self.length, top + 0.002 * self.length
        right = np.array([(half, self.at(place), z) for z in (under, under, over, over)])
        return np.concatenate([right, right[::-1] * (-1, 1, 1)])


def draw_hull(
    rng: np.random.Generator,
    length: tuple[float, float],
    beam: tuple[float, float],
    draught: tuple[float, float],
    freeboard: tuple[float, float],
    sheer: tuple[float, float],
    flare: float,
    stern: float,
    rake: float = 0.07,
) -> Hull:
    """Returns a hull with sizes between two values each; see `Hull`."""
    sizes = [between(rng, *limits) for limits in (length, beam, draught, freeboard, sheer)]
    return Hull(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], flare, stern, rake)


def hull_paint(top: Colour, stripe: Colour, bottom: Colour) -> tuple[Material, Material]:
    """Returns the surfaces of the sides, banded along the hull, and of the stern."""
    # u runs from one rim down to the keel (0.3), up to the other and across.
    edges = [(0.12, top), (0.15, stripe), (0.30, bottom)]
    edges += [(0.46, bottom), (0.49, stripe), (0.61, top), (1.0, top)]
    return Material(WHITE, bands(edges, upright=True), 0.2, 20), Material(top, specular=0.2, shininess=20)


def ship_paint(rng: np.random.Generator) -> tuple[Material, Material]:
    """Returns `hull_paint` of random colours, the bottom usually red."""
    top = choose(rng, (pale(rng), dark(rng), any_colour(rng), vivid(rng)))
    bottom = choose(rng, ((0.55, 0.13, 0.1), (0.55, 0.13, 0.1), dark(rng), vivid(rng)))
    return hull_paint(top, choose(rng, (WHITE, bottom, vivid(rng))), bottom)
