"""Kinds of cars, and a drawn one."""

from dataclasses import dataclass

from synthreal.rendering.procedural.paint import (
    Colour,
)


@dataclass(frozen=True)
class Shape:
    """One kind of car. Places along it run from 0 at the nose to 1 at the tail; lengths are metres.

    Args:
        length, height, belt, wheel: Lowest and highest length, roof height, height of the doors, wheel radius.
        cabin: Where the windscreen begins and the roof begins, the roof ends and the rear window ends.
        nose: Height of the bonnet's front edge, relative to the belt.
        deck: Height of the tail, relative to the belt.
        bed: Whether the tail is an open load bed.
        roof: Whether there is one.
    """

    length: tuple[float, float]
    height: tuple[float, float]
    belt: tuple[float, float]
    wheel: tuple[float, float]
    cabin: tuple[float, float, float, float]
    nose: float = 0.75
    deck: float = 0.98
    bed: bool = False
    roof: bool = True


KINDS = (
    Shape((4.3, 5.0), (1.40, 1.50), (0.88, 0.96), (0.31, 0.35), (0.28, 0.42, 0.70, 0.86)),  # sedan
    Shape((3.4, 4.1), (1.42, 1.56), (0.88, 0.96), (0.29, 0.33), (0.24, 0.40, 0.86, 0.97), 0.78),  # hatchback
    Shape((4.4, 4.9), (1.45, 1.55), (0.88, 0.96), (0.31, 0.35), (0.27, 0.40, 0.90, 0.98)),  # estate
    Shape((4.2, 4.9), (1.70, 1.90), (1.05, 1.15), (0.36, 0.42), (0.25, 0.35, 0.90, 0.98), 0.85, 1.0),  # SUV
    Shape((4.4, 5.0), (1.75, 1.95), (0.98, 1.08), (0.32, 0.35), (0.11, 0.30, 0.94, 0.99), 0.70, 1.0),  # van
    Shape((4.9, 5.5), (1.70, 1.90), (1.05, 1.15), (0.37, 0.42), (0.26, 0.36, 0.54, 0.58), 0.88, 1.0, bed=True),
    Shape((4.1, 4.6), (1.14, 1.26), (0.76, 0.84), (0.32, 0.35), (0.30, 0.47, 0.66, 0.88), 0.66, 1.04),  # sports
    Shape((3.9, 4.5), (1.25, 1.35), (0.84, 0.92), (0.31, 0.34), (0.32, 0.42, 0.70, 0.80), 0.74, 0.98, roof=False),
)


@dataclass(frozen=True)
class Car:
    """A drawn car; lengths in metres."""

    shape: Shape
    length: float
    width: float
    height: float
    belt: float
    wheel: float
    colour: Colour

    @property
    def sill(self) -> float:
        """Height of the body's lower edge."""
        return 0.6 * self.wheel

    def at(self, place: float) -> float:
        """Returns y of a place along it, 0 at the nose and 1 at the tail."""
        return (place - 0.5) * self.length
