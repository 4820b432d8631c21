"""Camera viewpoints listed one by one, and two papers' lists."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from synthreal.errors import ConfigError
from synthreal.spaces.base import ParameterSpace
from synthreal.spaces.viewpoints import VIEW_COLUMNS, UniformViews, check_viewpoints

# Two viewpoints closer than this, radians or relative distance, are the same one: float32 holds 360° to 3e-7.
_SAME = 1e-5


class FixedViews(ParameterSpace):
    """A list of viewpoints, one bucket each.

    Args:
        viewpoints: Azimuth, elevation, tilt (degrees) and distance of each; `viewpoints` holds them as a table.

    Raises:
        ConfigError: If there is none, one makes no sense, or two are the same.
    """

    columns = VIEW_COLUMNS

    def __init__(self, viewpoints: Sequence[Sequence[float]]) -> None:
        self.viewpoints = check_viewpoints(viewpoints).float()
        if bool((self.viewpoints[:, 3] == 0).any()):
            raise ConfigError("The camera of a viewpoint is at distance 0: inside the object.")
        self.num_buckets = len(self.viewpoints)
        self._tree = KDTree(_points(self.viewpoints))
        twins = sorted(self._tree.query_pairs(2 * _SAME))
        if twins:
            raise ConfigError(f"Viewpoints {twins[0][0]} and {twins[0][1]} are the same: {viewpoints[twins[0][0]]}.")
        low, high = self.viewpoints.amin(0).tolist(), self.viewpoints.amax(0).tolist()
        self._ranges = UniformViews(1, 1, elevation=(low[1], high[1]), tilt=(-180.0, 180.0), distance=(low[3], high[3]))

    def volumes(self) -> Float[Tensor, " k"]:
        """Equal shares."""
        return torch.full((self.num_buckets,), 1 / self.num_buckets, dtype=torch.float64)

    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The viewpoint, whatever the uniform numbers."""
        return self.viewpoints[bucket]

    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """Index of each viewpoint; a difference of 0.0005 degrees or 1e-5 of the distance is let pass."""
        _, found = self._tree.query(_points(parameters), distance_upper_bound=_SAME)
        index = torch.as_tensor(found)
        missing = index == self.num_buckets
        if bool(missing.any()):
            raise ConfigError(f"{parameters[missing][0].tolist()} is none of the {self.num_buckets} viewpoints.")
        return index

    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """Azimuth and tilt on circles of circumference 1; elevation and distance over the range that the list spans."""
        return self._ranges.embed(parameters)

    def describe(self, bucket: int) -> tuple[str, ...]:
        """Azimuth and elevation; tilt and distance where the list varies them."""
        varies = (self.viewpoints != self.viewpoints[0]).any(0).tolist()
        parts = zip(VIEW_COLUMNS, self.viewpoints[bucket].tolist(), [True, True, *varies[2:]], strict=True)
        return (", ".join(f"{name} {value:.4g}" for name, value, shown in parts if shown),)


def _points(viewpoints: Float[Tensor, "n 4"]) -> Float[np.ndarray, "n 6"]:
    """Coordinates that are close if and only if the viewpoints are; far from everything where they are not finite."""
    azimuth, elevation, tilt, distance = viewpoints.double().unbind(1)
    azimuth, elevation, tilt = azimuth.deg2rad(), elevation.deg2rad(), tilt.deg2rad()
    point = torch.stack([azimuth.cos(), azimuth.sin(), elevation, tilt.cos(), tilt.sin(), distance.log()], 1)
    return np.asarray(point.nan_to_num(nan=1e9, posinf=1e9, neginf=-1e9).numpy())


class IcosphereViews(FixedViews):
    """The vertices of a subdivided icosahedron between two heights (GM-CML, sec. III), from low to high.

    The paper prints V_z ∈ [-0.1 min(V_x), 0.6 max(V_x)]. Literally that is 0.1 r above the equator and up, as
    min(V_x) = -r; it is read as 0.1 r below.

    Args:
        subdivisions: How often every triangle is cut in four: 10 · 4^n + 2 vertices before the cut.
        low: Least height of the camera over its distance, -1 to 1; vertices at the bound are kept.
        high: Greatest height over distance.
        distance: Distance from the origin.

    Raises:
        ConfigError: If a value is out of range, or no vertex is left.
    """

    def __init__(self, subdivisions: int = 2, low: float = -0.1, high: float = 0.6, distance: float = 2.2) -> None:
        if not 0 <= subdivisions <= 6:
            raise ConfigError(f"subdivisions is 0 to 6, not {subdivisions}.")
        from trimesh.creation import icosphere  # half a second, for this class alone

        x, y, z = np.asarray(icosphere(subdivisions=subdivisions).vertices).T
        level = np.hypot(x, y)
        # Over the poles every azimuth is the same place.
        azimuth = np.where(level > 1e-9, np.degrees(np.arctan2(x, -y)), 0.0)
        angles = np.stack([np.degrees(np.arctan2(z, level)), azimuth.round(6) % 360], 1).round(6)
        kept = angles[(z >= low - 1e-9) & (z <= high + 1e-9)]
        if not len(kept):
            raise ConfigError(f"No vertex of the icosphere lies between {low} and {high}.")
        ordered = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
        super().__init__([[azimuth, elevation, 0.0, distance] for elevation, azimuth in ordered.tolist()])


class BenchmarkViews(FixedViews):
    """The 26 views of an object of the synthetic-vs-real benchmark (sec. 4.3.3).

    The object turns about its vertical axis (y there; here azimuth = angle) and about the horizontal axis of the
    picture (x there). The paper says that 90 degrees and more show the bottom, so elevation = -angle; past a pole the
    camera is upside down, which is the opposite azimuth with a tilt of 180 degrees.

    The paper's text is garbled in two places, read as follows:

    - "interval steps of 25°, with excluded range of [90°, 25°] … yields a total of 16 images" is [90°, 250°]: of
      0, 25 … 350 that leaves 0, 25, 50, 75, 275, 300, 325, 350, eight for each axis, 16 in total. (Leaving out 90° to
      115° would give 28.)
    - No rotation is the same view about either axis. It is kept once, and one more joint view makes up the 26.

    Args:
        step: Degrees between rotations about one axis.
        excluded: Range of angles left out about both axes, ends included; degrees, 0 to 360.
        count: Views in all. After those about one axis come joint rotations about both, uniform outside `excluded`.
        seed: Seed of the joint rotations.
        distance: Distance from the origin.

    Raises:
        ConfigError: If a value is out of range, or `count` is less than the views about one axis.
    """

    def __init__(
        self,
        step: float = 25.0,
        excluded: tuple[float, float] = (90.0, 250.0),
        count: int = 26,
        seed: int = 0,
        distance: float = 2.2,
    ) -> None:
        start, end = excluded
        if not (0 <= start <= end <= 360 and end - start < 360):
            raise ConfigError(f"excluded is a range within 0 to 360 degrees that leaves some, not {excluded}.")
        if not 0 < step <= 360:
            raise ConfigError(f"step is above 0 and at most 360 degrees, not {step}.")
        angles = [angle for angle in np.arange(0.0, 360.0, step).tolist() if not start <= angle <= end]
        single = [(0.0, pitch) for pitch in angles] + [(yaw, 0.0) for yaw in angles if yaw != 0]
        if count < len(single):
            raise ConfigError(f"count is {count}, but there are {len(single)} views about one axis.")
        turn = np.random.default_rng(seed).uniform(0, 360 - (end - start), (count - len(single), 2))
        joint = np.where(turn >= start, turn + (end - start), turn)
        super().__init__([_turned(yaw, pitch, distance) for yaw, pitch in [*single, *joint.tolist()]])


def _turned(yaw: float, pitch: float, distance: float) -> list[float]:
    """The viewpoint that sees what an object shows when turned about its vertical axis, then pitched bottom first."""
    elevation = 180 - (pitch + 180) % 360
    if abs(elevation) <= 90:
        return [yaw % 360, elevation, 0.0, distance]
    return [(yaw + 180) % 360, (180 if elevation > 0 else -180) - elevation, 180.0, distance]
