"""Camera viewpoints (azimuth, elevation, tilt, distance), in buckets on a grid.

Degrees, and units of the mesh from the origin. PASCAL3D+'s convention: the camera is at
distance · (cos e sin a, -cos e cos a, sin e); azimuth 0 sees the front, elevation 90 the top.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synthreal.errors import ConfigError
from synthreal.spaces.axes import Circular, Constant, Continuous
from synthreal.spaces.combined import Product

VIEW_COLUMNS = ("azimuth", "elevation", "tilt", "distance")


def check_viewpoints(viewpoints: Sequence[Sequence[float]]) -> Float[Tensor, "n 4"]:
    """Returns rows of azimuth, elevation, tilt and distance as float64.

    Raises:
        ConfigError: If there is none, or a row has not four finite numbers, an elevation of -90 to 90 and a distance
            of at least 0.
    """
    for i, row in enumerate(viewpoints):
        if len(row) != 4 or not np.isfinite(row).all() or abs(row[1]) > 90 or row[3] < 0:
            raise ConfigError(
                f"Viewpoint {i} is {list(row)}: it needs {', '.join(VIEW_COLUMNS)}, "
                "with an elevation of -90 to 90 degrees and a distance of at least 0."
            )
    if not len(viewpoints):
        raise ConfigError("There is no viewpoint.")
    return torch.tensor([list(row) for row in viewpoints], dtype=torch.float64)


class UniformViews(Product):
    """All viewpoints within ranges, uniform in degrees, in buckets of azimuth × elevation.

    A range of equal ends holds that parameter fixed, in one bucket whatever its bins; angles over a full turn wrap.

    Args:
        azimuth_bins: Buckets of azimuth; SampleAhead's 18 (sec. 4.2).
        elevation_bins: Buckets of elevation; SampleAhead's 12.
        azimuth: Lowest and highest, degrees, at most 360 apart.
        elevation: Lowest and highest, degrees, -90 to 90.
        tilt: Lowest and highest in-plane rotation, degrees, at most 360 apart.
        distance: Nearest and farthest, above 0.

    Raises:
        ConfigError: If a range or a number of bins makes no sense.
    """

    def __init__(
        self,
        azimuth_bins: int = 18,
        elevation_bins: int = 12,
        azimuth: tuple[float, float] = (0.0, 360.0),
        elevation: tuple[float, float] = (-90.0, 90.0),
        tilt: tuple[float, float] = (0.0, 0.0),
        distance: tuple[float, float] = (2.2, 2.2),
    ) -> None:
        if max(map(abs, elevation)) > 90:
            raise ConfigError(f"elevation lies in -90 to 90 degrees, not {elevation}.")
        if min(distance) <= 0:
            raise ConfigError(f"distance is above 0, not {distance}.")
        super().__init__(
            [
                _angle("azimuth", azimuth, azimuth_bins),
                _range("elevation", elevation, elevation_bins, "degrees"),
                _angle("tilt", tilt, 1),
                _range("distance", distance, 1, ""),
            ]
        )

    def describe(self, bucket: int) -> tuple[str, ...]:
        """Azimuth and elevation; tilt and distance are the same in all buckets."""
        return super().describe(bucket)[:2]


def _range(name: str, ends: tuple[float, float], bins: int, unit: str) -> Constant | Continuous:
    low, high = ends
    return Constant(name, low, unit) if low == high else Continuous(name, low, high, bins, unit)


def _angle(name: str, ends: tuple[float, float], bins: int) -> Constant | Continuous:
    low, high = ends
    if high - low > 360:
        raise ConfigError(f"{name} spans at most 360 degrees, not {ends}.")
    return Circular(name, bins, 360.0, low) if high - low == 360 else _range(name, ends, bins, "degrees")
