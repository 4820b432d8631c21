"""Poses as unit quaternions, the geodesic distance between them, and near and far poses of the same class."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree
from torch import Tensor

_DECIMALS = 6  # of the quaternions of equal poses
_TIE = 1e-4  # degrees: float32 holds 360° to 3e-5
_TIES = 8  # poses at most that may share the place of the nearest one
_TRIES = 8  # at a far pose, before the class is searched
_PAIRS = 2**21  # poses compared at once


def quaternions(viewpoint: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4"]:
    """Returns the rotation from world to camera axes as a unit quaternion (w, x, y, z).

    It is Rz(tilt) · Rx(elevation - 90°) · Rz(-azimuth), that of `Camera` and PASCAL3D+ (Xiang et al. 2014). A rotation
    has two quaternions, q and -q; which of them this is depends on the angles.

    Args:
        viewpoint: Azimuth, elevation and in-plane tilt, degrees.
    """
    azimuth, elevation, tilt = viewpoint.deg2rad().unbind(-1)
    lean, total, difference = (elevation - torch.pi / 2) / 2, (tilt - azimuth) / 2, (tilt + azimuth) / 2
    return torch.stack(
        [
            lean.cos() * total.cos(),
            lean.sin() * difference.cos(),
            lean.sin() * difference.sin(),
            lean.cos() * total.sin(),
        ],
        -1,
    )


def geodesic_distance(a: Float[Tensor, "*#n 4"], b: Float[Tensor, "*#n 4"]) -> Float[Tensor, "..."]:
    """Returns the angle of the rotation that takes one pose to the other, degrees, 0 to 180.

    The leading axes broadcast: `geodesic_distance(a[:, None], b[None])` is the table of all pairs. The arc cosine of
    the dot product would lose half the digits near 0 and give NaN beyond 1; the angle between a sum and a difference
    does neither.

    Args:
        a: Unit quaternions; the sign does not matter.
        b: The same.
    """
    less, more = (a - b).norm(dim=-1), (a + b).norm(dim=-1)
    return 4 * torch.atan2(torch.minimum(less, more), torch.maximum(less, more)).rad2deg()


def pose_keys(quaternion: Float[np.ndarray, "n 4"]) -> Int[np.ndarray, "n 2"]:
    """Returns two whole numbers that name a pose: those whose quaternions round to the same 6 decimals have the same.

    That is to about 10^-4 degrees. The quaternion's sign does not matter.
    """
    most = 10**_DECIMALS
    number = np.round(quaternion * most).astype(np.int64)
    first = (number != 0).argmax(1)[:, None]
    number = number * np.sign(np.take_along_axis(number, first, 1)) + most
    # Two are quicker to sort by than four.
    return number[:, ::2] * (2 * most + 1) + number[:, 1::2]


class PoseNeighbours:
    """The nearest poses of each pose within its class, and draws of far ones.

    A pose is far from another if it lies at least `far` degrees away and farther than the nearest one. Bounds are kept
    to 10^-4 degrees, so that poses on a grid count.

    Args:
        quaternion: Different poses, in order of their classes.
        label: Class of each pose.
        alone: Whether the pose has one sample only, so that its nearest one is another pose, not itself.
        far: Geodesic distance from which on a pose is far, degrees.

    Attributes:
        stuck: Poses that have no other in their class that is farther than the nearest.
    """

    def __init__(
        self,
        quaternion: Float[np.ndarray, "p 4"],
        label: Int[np.ndarray, " p"],
        alone: Bool[np.ndarray, " p"],
        far: float,
    ) -> None:
        self._quaternion = quaternion
        self._start, self._end = np.searchsorted(label, label), np.searchsorted(label, label, side="right")
        # Both signs of each are in the tree. The nearer one is sqrt(2) away at most; classes lie farther apart.
        points = np.concatenate([np.c_[sign * quaternion, 4.0 * label] for sign in (1, -1)])
        tree = KDTree(points, balanced_tree=False)
        near, distance = self._look_up(tree, points[: len(label)], 2)
        # Few poses have a tie, and a look at more neighbours takes twice as long.
        tied = np.flatnonzero(distance[:, 1] <= distance[:, 0] + _TIE)
        more, distances = self._look_up(tree, points[tied], _TIES)
        self._near, self._ties = np.pad(near, ((0, 0), (0, _TIES - 2))), np.ones_like(label)
        self._near[tied], self._ties[tied] = more, (distances <= distances[:, :1] + _TIE).sum(1)
        others = self._end - self._start - 1
        self.stuck: Bool[np.ndarray, " p"] = (others == 0) | alone & (others <= self._ties)
        least = np.maximum(far - _TIE, np.where(alone, distance[:, 0] + _TIE, 0))
        # Cosines of half the distance are the absolute dot products of quaternions, and quick.
        self._most = np.cos(np.radians(least) / 2)

    def _look_up(
        self, tree: KDTree, points: Float[np.ndarray, "p 5"], number: int
    ) -> tuple[Int[np.ndarray, "p {number}"], Float[np.ndarray, "p {number}"]]:
        """The nearest of the other poses of the class, from near to far, and their distances; 360 for what is not."""
        _, found = tree.query(points, 1 + number, distance_upper_bound=np.sqrt(2) + 1e-6)
        found = np.asarray(found)[:, 1:]  # without the pose itself
        each = torch.from_numpy(self._quaternion)
        near = found % len(each)
        distance = geodesic_distance(torch.from_numpy(points[:, None, :4]), each[near]).numpy()
        return near, np.where(found < 2 * len(each), distance, 360.0)

    def nearest(self, pose: Int[np.ndarray, " s"], random: np.random.Generator) -> Int[np.ndarray, " s"]:
        """Returns the nearest other pose of each pose; among equally near ones chance decides."""
        return self._near[pose, random.integers(self._ties[pose])]

    def far(self, pose: Int[np.ndarray, " s"], random: np.random.Generator) -> Int[np.ndarray, " s"]:
        """Returns a far pose for each pose, all equally likely, or the farthest if there is none."""
        far, rest = np.empty_like(pose), np.arange(len(pose))
        for _ in range(_TRIES):
            mine = pose[rest]
            found = random.integers(self._start[mine], self._end[mine])
            near = np.abs((self._quaternion[mine] * self._quaternion[found]).sum(1)) > self._most[mine]
            far[rest[~near]] = found[~near]
            rest = rest[near]
        far[rest] = self._search(pose[rest], random)
        return far

    def _search(self, pose: Int[np.ndarray, " s"], random: np.random.Generator) -> Int[np.ndarray, " s"]:
        """What `far` returns, by a look at the whole class."""
        far = np.empty_like(pose)
        for start in np.unique(self._start[pose]):
            rows = np.flatnonzero(self._start[pose] == start)
            each = self._quaternion[start : self._end[start]]
            for part in np.array_split(rows, -(-len(rows) * len(each) // _PAIRS)):
                mine = pose[part]
                cosine = np.abs(self._quaternion[mine] @ each.T)
                cosine[np.arange(len(mine)), mine - start] = 2  # never the pose itself
                fits = cosine <= self._most[mine, None]
                some = fits.any(1)
                # Below 0 is a lottery among far poses; where there is none, the farthest has the least cosine.
                cosine[some] = np.where(fits[some], random.random(fits[some].shape) - 1, 2)
                far[part] = start + cosine.argmin(1)
        return far
