"""Viewpoints as people photograph them: a density fitted to annotated ones."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.errors import ConfigError, DatasetNotFoundError
from synthreal.spaces.viewpoints import VIEW_COLUMNS, UniformViews, check_viewpoints

# Turns to either side that a kernel of azimuth may reach: 1,080 degrees are over eight of the widest's deviations.
_TURNS = 360.0 * torch.arange(-3, 4, dtype=torch.float64)
# A bucket of less of the density than this is empty: no run would draw from it.
_EMPTY = 1e-9


class DensityViews(UniformViews):
    """Viewpoints with the density of annotated ones, in buckets of azimuth × elevation.

    RenderForCNN's kernel density estimate (Su et al. 2015), SampleAhead's P0 in the pose task: a Gaussian kernel about
    each annotation, of standard deviation 1.06 · s · n^(-1/5) in azimuth, elevation, tilt and distance / 3, where s is
    the sample standard deviation of that parameter over n annotations. A bucket's volume is the density's mass in it,
    and `place` draws from the density inside it. Fit one for each class, and join them with `Union`.

    Two things differ, so that no angle is special: azimuth and tilt live on the circle (s is taken about the circular
    mean, kernels wrap), and what reaches beyond the poles or `distance` is left out and the rest scaled up, where
    RenderForCNN wraps elevation and redraws distances. Its 20 % of outliers, which SampleAhead does not mention, are
    not added.

    A bucket without density is never drawn; placed in all the same, it is uniform in azimuth and elevation. Memory: 8
    bytes for each bucket and annotation.

    Args:
        viewpoints: CSV file with columns azimuth, elevation, tilt, distance (others are ignored), or the rows of one;
            rows of distance 0 are dropped: PASCAL3D+ marks with them what could not be annotated.
        azimuth_bins: Buckets of azimuth; SampleAhead's 18 (sec. 4.2).
        elevation_bins: Buckets of elevation; SampleAhead's 12.
        distance: Nearest and farthest camera, in units of the mesh; RenderForCNN's 1 to 29.
        distance_divisor: What annotated distances are divided by, to be in units of the mesh; RenderForCNN's 3, as
            those of PASCAL3D+ are too long.

    Raises:
        DatasetNotFoundError: If the file is missing.
        ConfigError: If it is no such table, a viewpoint or a range makes no sense, no row is left, or more than half of
            the density lies beyond `distance`.
    """

    def __init__(
        self,
        viewpoints: str | Path | Sequence[Sequence[float]],
        azimuth_bins: int = 18,
        elevation_bins: int = 12,
        distance: tuple[float, float] = (1.0, 29.0),
        distance_divisor: float = 3.0,
    ) -> None:
        if not (distance[0] < distance[1] and distance_divisor > 0):
            raise ConfigError(f"distance needs near < far, and its divisor is above 0: {distance}, {distance_divisor}.")
        super().__init__(azimuth_bins, elevation_bins, tilt=(-180.0, 180.0), distance=distance)
        rows = read_viewpoints(viewpoints) if isinstance(viewpoints, str | Path) else check_viewpoints(viewpoints)
        rows = rows[rows[:, 3] > 0] / torch.tensor([1.0, 1.0, 1.0, distance_divisor], dtype=torch.float64)
        if not len(rows):
            raise ConfigError("No viewpoint is left: all are at distance 0.")
        self._centre = torch.cat([rows[:, :1] % 360, rows[:, 1:]], 1)
        self._width = _bandwidth(self._centre)
        self._edges = (
            torch.linspace(0, 360, azimuth_bins + 1, dtype=torch.float64),
            torch.linspace(-90, 90, elevation_bins + 1, dtype=torch.float64),
            torch.tensor(distance, dtype=torch.float64),
        )
        for edges in self._edges[1:]:
            edges[-1] += 1e-9  # a bucket holds its lower edge, and the last one its upper edge too
        self._fit()

    def _fit(self) -> None:
        """Finds each bucket's mass, and in it the chance of each kernel."""
        azimuth, elevation, distance = self._edges
        turns = _standard(azimuth[:, None, None] + _TURNS[:, None], self._centre[:, 0], self._width[0])
        level = _standard(elevation[:, None], self._centre[:, 1], self._width[1])
        far = _standard(distance[:, None], self._centre[:, 3], self._width[3])
        reached = _mass(far[0], far[1])
        if float(reached.mean()) < 0.5:
            raise ConfigError(
                f"Only {float(reached.mean()):.0%} of the density lies {distance[0]:g} to {distance[1]:g} units of the "
                "mesh from the object. Set distance, or distance_divisor if the annotations are in other units."
            )
        chance = _mass(turns[:-1], turns[1:]).sum(1)[:, None] * (_mass(level[:-1], level[1:]) * reached)
        chance = chance.flatten(0, 1)
        volume = chance.sum(1) / chance.sum()
        self._empty = volume < _EMPTY
        volume[self._empty] = 0
        self._volumes = volume / volume.sum()
        chance[self._empty] = reached
        total = chance.cumsum(1)
        # Bucket k's cumulative chances run from k to k + 1, so that one sorted list holds them all.
        total = total / total[:, -1:] + torch.arange(len(total))[:, None]
        self._chances = torch.cat([total.new_zeros(1), total.flatten()])

    def volumes(self) -> Float[Tensor, " k"]:
        """The density's mass in each bucket."""
        return self._volumes.clone()

    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Distributed as the density inside each bucket: the first number picks the kernel, its rest the azimuth."""
        middle = uniform.double() + 2.0**-25  # neither 0 nor 1, which are infinitely far out
        kernel, rest = self._pick(bucket, middle[:, 0])
        centre, width = self._centre[kernel], self._width
        levels = len(self._edges[1]) - 1
        around, up = _sides(self._edges[0], bucket // levels), _sides(self._edges[1], bucket % levels)
        away = self._edges[2].expand(len(bucket), 2)
        turn, rest = _pick_turn(rest, around, centre[:, 0], width[0])
        azimuth = _inside(rest, around + turn[:, None], centre[:, 0], width[0]) - turn
        elevation = _inside(middle[:, 1], up, centre[:, 1], width[1])
        tilt = (centre[:, 2] + width[2] * torch.special.ndtri(middle[:, 2]) + 180) % 360
        distance = _inside(middle[:, 3], away, centre[:, 3], width[3])
        share = torch.stack([_share(azimuth, around), _share(elevation, up), tilt / 360, _share(distance, away)], 1)
        share[:, :2] = torch.where(self._empty[bucket][:, None], uniform[:, :2].double(), share[:, :2])
        # The grid places shares of its buckets' sides.
        return super().place(bucket, share.float().clamp(0, 1 - 2.0**-24))

    def _pick(
        self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, " n"]
    ) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        """Returns a kernel by its chance in the bucket, and how far through that chance the number is."""
        value = bucket + uniform
        index = torch.searchsorted(self._chances[1:], value, right=True)
        low, high = self._chances[index], self._chances[index + 1]
        return index - bucket * len(self._centre), ((value - low) / (high - low)).clamp(1e-9, 1 - 1e-9)


def read_viewpoints(path: str | Path) -> Float[Tensor, "n 4"]:
    """Reads azimuth, elevation, tilt and distance from a CSV file with these column names; others are ignored.

    Raises:
        DatasetNotFoundError: If there is no such file.
        ConfigError: If a column is missing, or a row is no viewpoint.
    """
    path = Path(path)
    if not path.is_file():
        columns = ",".join(VIEW_COLUMNS)
        raise DatasetNotFoundError("Viewpoints", str(path), f"Give a CSV file whose first line is {columns}.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            names = table.fieldnames or []
            missing = [name for name in VIEW_COLUMNS if name not in names]
            if missing:
                raise ConfigError(f"no column {', '.join(missing)} among {', '.join(names)}.")
            return check_viewpoints([[float(row[name] or "nan") for name in VIEW_COLUMNS] for row in table])
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"{path} is no table of viewpoints: {error}") from error


def _bandwidth(rows: Float[Tensor, "n 4"]) -> Float[Tensor, " 4"]:
    """1.06 · s · n^(-1/5) of each column; azimuth and tilt are unrolled about their mean direction."""
    if len(rows) == 1:
        return torch.zeros(4, dtype=torch.float64)
    angle = rows[:, [0, 2]]
    mean = torch.atan2(angle.deg2rad().sin().sum(0), angle.deg2rad().cos().sum(0)).rad2deg()
    unrolled = rows.clone()
    unrolled[:, [0, 2]] = (angle - mean + 180) % 360
    return 1.06 * unrolled.std(0) * len(rows) ** -0.2


def _standard(edge: Tensor, centre: Tensor, width: Tensor) -> Tensor:
    """Edge in standard deviations from the centre. A point, of width 0, lies above an edge that it is on."""
    return ((edge - centre) / width).nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)


def _mass(low: Tensor, high: Tensor) -> Tensor:
    """Mass of a standard normal distribution between two values."""
    return torch.special.ndtr(high) - torch.special.ndtr(low)


def _inside(
    uniform: Float[Tensor, " n"], sides: Float[Tensor, "n 2"], centre: Float[Tensor, " n"], width: Float[Tensor, ""]
) -> Float[Tensor, " n"]:
    """Inverse distribution function of each normal distribution truncated to its interval."""
    low, high = _standard(sides[:, 0], centre, width), _standard(sides[:, 1], centre, width)
    return centre + width * torch.special.ndtri(torch.special.ndtr(low) + uniform * _mass(low, high))


def _pick_turn(
    uniform: Float[Tensor, " n"], sides: Float[Tensor, "n 2"], centre: Float[Tensor, " n"], width: Float[Tensor, ""]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Returns which image of a wrapped interval, by its mass, and how far through that mass the number is."""
    low, high = (_standard(side[:, None] + _TURNS, centre[:, None], width) for side in sides.unbind(1))
    mass = _mass(low, high)
    share = mass / mass.sum(1, keepdim=True)
    total = share.cumsum(1)
    index = (total <= uniform[:, None]).sum(1, keepdim=True).clamp(max=len(_TURNS) - 1)
    end, share = total.gather(1, index)[:, 0], share.gather(1, index)[:, 0]
    return _TURNS[index[:, 0]], ((uniform - end) / share + 1).clamp(1e-9, 1 - 1e-9)


def _sides(edges: Float[Tensor, " e"], index: Int[Tensor, " n"]) -> Float[Tensor, "n 2"]:
    return torch.stack([edges[index], edges[index + 1]], 1)


def _share(value: Float[Tensor, " n"], sides: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
    """How far through its interval each value is, 0 to 1."""
    return (value - sides[:, 0]) / (sides[:, 1] - sides[:, 0])
