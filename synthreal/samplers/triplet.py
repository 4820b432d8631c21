"""Sets of a reference, a positive and three negatives, for triplet losses (GM-CML, sec. V-B)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from synthreal.batch import SET_SIZE, Draws, numbered
from synthreal.errors import ConfigError, DatasetError
from synthreal.samplers.epochs import EpochSampler, passes
from synthreal.samplers.poses import PoseNeighbours, pose_keys, quaternions

_REFERENCE, _MEMBERS = range(15, 17)  # purposes; those of aligned samples end at 14


@dataclass(frozen=True)
class _Runs:
    """Stretches of equal rows of a sorted table.

    Args:
        number: Run of each row.
        edges: First row of each run, and behind them the number of rows.
    """

    number: Int[np.ndarray, " n"]
    edges: Int[np.ndarray, " e"]

    def bounds(self, row: Int[np.ndarray, " m"]) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
        """Returns where the run of each row starts and where it ends (exclusive)."""
        number = self.number[row]
        return self.edges[number], self.edges[number + 1]


class TripletTable:
    """What sets are drawn from, built once: samples sorted by class, pose and light, and the nearest poses of each.

    The members of a set:

    - The reference.
    - A positive of the same class: a sample with the nearest pose, or one with the same pose under another light. If a
      reference has both kinds, each is drawn with probability a half. The nearest pose may be the same one; among
      equally near poses, and samples of a pose, chance decides.
    - One of the same class with a far pose: at least `far` degrees from the reference and farther than the nearest
      pose, or the farthest of the class if there is none such. Far poses are equally likely, and so are the samples of
      one.
    - Two samples of other classes, uniform over all, never twice the same.

    Poses are compared by geodesic distance; see `PoseNeighbours`. Two are the same if their quaternions are to 6
    decimals, about 10^-4 degrees; two lights are the same if all their numbers are.

    Args:
        label: Class of each sample.
        viewpoint: Azimuth, elevation and in-plane tilt of each sample, degrees.
        light: Numbers that say how each sample is lit; None if that is not known.
        num_classes: Number of classes; some may have no sample.
        far: Geodesic distance from which on a pose is far, degrees, 1 to 180.

    Raises:
        ConfigError: If `far` or the labels are out of range.
        DatasetError: If viewpoints or lights are missing, or the samples allow no sets.
    """

    def __init__(
        self,
        label: Int[Tensor, " n"],
        viewpoint: Float[Tensor, "n 3"],
        light: Float[Tensor, "n l"] | None,
        num_classes: int,
        far: float = 45.0,
    ) -> None:
        if not 1 <= far <= 180:
            raise ConfigError(f"far is 1 to 180 degrees, not {far}.")
        _check_finite("viewpoint", viewpoint)
        if light is not None:
            _check_finite("light", light)
        _check_labels(label, num_classes)
        quaternion = np.asarray(quaternions(viewpoint.cpu().double()))
        keys = [np.asarray(label.cpu())[:, None], pose_keys(quaternion)]
        keys += [] if light is None else [np.asarray(light.cpu())]
        columns = [column for key in keys for column in key.T]
        self._order = np.lexsort(columns[::-1])
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(self._order))
        runs = _runs(keys, self._order)
        self._class, self._pose, self._light = runs[0], runs[1], runs[-1]  # without lights every pose has one
        self._size = np.diff(self._pose.edges)  # samples of each pose
        first = self._order[self._pose.edges[:-1]]
        classes = keys[0][first, 0]
        self._neighbours = PoseNeighbours(quaternion[first], classes, self._size == 1, far)
        stuck = np.unique(classes[self._neighbours.stuck]).tolist()
        if stuck:
            raise DatasetError(
                f"The classes {stuck} have too few poses: for some sample none is farther than its positive. "
                "Add samples with other viewpoints, or leave these classes out."
            )

    def __len__(self) -> int:
        return len(self._order)

    def draw(self, reference: Int[Tensor, " s"], random: np.random.Generator) -> Int[Tensor, "s 5"]:
        """Draws a set for each reference: itself, its positive, the far pose, and two of other classes.

        Args:
            reference: Samples, by number.
            random: Random numbers.
        """
        own = self._place[np.asarray(reference)]
        members = [own, self._positive(own, random), self._far(own, random), *self._others(own, random)]
        return torch.from_numpy(self._order[np.stack(members, 1)])

    # Below, samples are told by their place in the sorted table.

    def _positive(self, own: Int[np.ndarray, " s"], random: np.random.Generator) -> Int[np.ndarray, " s"]:
        pose = self._pose.number[own]
        shared = self._size[pose] > 1
        near = np.where(shared, pose, self._neighbours.nearest(pose, random))
        start, end = self._pose.edges[near], self._pose.edges[near + 1]
        positive = _outside(start, end, np.where(shared, own, end), np.where(shared, own + 1, end), random)
        (start, end), (skip, on) = self._pose.bounds(own), self._light.bounds(own)
        lit = np.flatnonzero((end - start > on - skip) & (random.random(len(own)) < 0.5))
        positive[lit] = _outside(start[lit], end[lit], skip[lit], on[lit], random)
        return positive

    def _far(self, own: Int[np.ndarray, " s"], random: np.random.Generator) -> Int[np.ndarray, " s"]:
        far = self._neighbours.far(self._pose.number[own], random)
        return random.integers(self._pose.edges[far], self._pose.edges[far + 1])

    def _others(self, own: Int[np.ndarray, " s"], random: np.random.Generator) -> list[Int[np.ndarray, " s"]]:
        start, end = self._class.bounds(own)
        count = len(self) - (end - start)
        first = random.integers(count)
        second = _outside(np.zeros_like(count), count, first, first + 1, random)
        return [other + (other >= start) * (end - start) for other in (first, second)]


class TripletSampler(EpochSampler):
    """Yields batches of triplet sets from a fixed set of draws, set after set.

    Rows 5 i to 5 i + 4 of a batch are set i, in the order of `TripletTable`; `role` numbers them. An epoch is one pass
    over the samples as references, in a new order and with new sets; its last batch is filled up from a second pass.
    A rank has every world_size-th set.

    Args:
        draws: The fixed set.
        table: What sets of it are drawn from.
        sets: Sets in each global batch, of five samples each.
        steps_per_epoch: Batches in an epoch; None for one pass over the samples.
        seed: Seed of everything.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ConfigError: If draws and table are not of the same samples, or the sets cannot be divided among the processes.
    """

    def __init__(
        self,
        draws: Draws,
        table: TripletTable,
        sets: int,
        steps_per_epoch: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if len(draws["bucket"]) != len(table):
            raise ConfigError(f"There are {len(draws['bucket'])} draws, but the table is of {len(table)} samples.")
        if sets < 1 or sets % world_size:
            raise ConfigError(
                f"sets counts all processes and is at least one for each: {sets} do not divide by {world_size}."
            )
        self.draws, self.table, self.sets = draws, table, sets
        self.rank, self.world_size = rank, world_size
        super().__init__(-(-len(table) // sets) if steps_per_epoch is None else steps_per_epoch, seed)

    def draw_epoch(self) -> Callable[[int], Draws]:
        """See `EpochSampler.draw_epoch`."""
        order = passes(len(self.table), self.sets * len(self), self.stream(_REFERENCE, self.epoch))
        members = self.table.draw(order, self.stream(_MEMBERS, self.epoch))

        def batch(step: int) -> Draws:
            """This process's sets of a batch."""
            rows = slice(step * self.sets + self.rank, (step + 1) * self.sets, self.world_size)
            # A copy: a view would carry the whole epoch to a worker process.
            index = members[rows].flatten().clone()
            return {**numbered(self.draws, index), "role": torch.arange(len(index)) % SET_SIZE}

        return batch


def _outside(
    start: Int[np.ndarray, " s"],
    end: Int[np.ndarray, " s"],
    skip: Int[np.ndarray, " s"],
    on: Int[np.ndarray, " s"],
    random: np.random.Generator,
) -> Int[np.ndarray, " s"]:
    """Draws from start to end (exclusive), leaving out the stretch from skip to on."""
    place = random.integers(start, end - (on - skip))
    return place + (place >= skip) * (on - skip)


def _runs(keys: Sequence[Shaped[np.ndarray, "n _"]], order: Int[np.ndarray, " n"]) -> list[_Runs]:
    """The runs of rows that are equal in the first key, in the first two and so on, in sorted order."""
    new, runs = np.zeros(len(order), dtype=bool), []
    new[0] = True
    for key in keys:
        new[1:] |= (np.diff(key[order], axis=0) != 0).any(1)
        runs.append(_Runs(new.cumsum() - 1, np.append(np.flatnonzero(new), len(order))))
    return runs


def _check_finite(name: str, values: Float[Tensor, "n d"]) -> None:
    missing = (~values.isfinite().all(1)).nonzero()[:, 0]
    if len(missing):
        raise DatasetError(
            f"{len(missing)} of {len(values)} samples have no {name}, the first of them number {int(missing[0])}: "
            "triplet sets need one for each. Leave the others out."
        )


def _check_labels(label: Int[Tensor, " n"], num_classes: int) -> None:
    if len(label) and not 0 <= int(label.min()) <= int(label.max()) < num_classes:
        raise ConfigError(
            f"Labels of {num_classes} classes are 0 to {num_classes - 1}, not {int(label.min())} to {int(label.max())}."
        )
    count = label.bincount()
    if int((count > 0).sum()) < 2:
        raise DatasetError(
            f"Triplet sets need samples of two classes at least, but the {len(label)} samples are of "
            f"{int((count > 0).sum())}."
        )
    single = (count == 1).nonzero()[:, 0].tolist()
    if single:
        raise DatasetError(
            f"The classes {single} have one sample each, which leaves no positive: add samples, or leave them out."
        )
