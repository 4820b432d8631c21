"""Batches whose real and synthetic images have the same classes, row by row."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.batch import Draws
from synthreal.errors import ConfigError
from synthreal.samplers.epochs import EpochSampler, check_counts, copies, passes
from synthreal.samplers.even import draws_inside
from synthreal.spaces import ParameterSpace

_REAL, _SYNTHETIC = range(8, 10)  # purposes; those of the mixing sampler end at 7
_BUCKET, _INSIDE = range(13, 15)  # those of even draws end at 12


class AlignedSampler(EpochSampler):
    """Pairs each real image with a new synthetic one of its class (MrGAN paper, appendix 5).

    Row i of both halves of a batch has the same class; nothing else ties the two images together. An epoch is one pass
    over the real images in a new order; its last batch is filled up from a second pass.

    Args:
        space: The generator's parameter space; the class is its first factor.
        num_classes: Number of classes.
        labels: Class of each real training image.
        pairs: Real images in each global batch, and as many synthetic ones.
        steps_per_epoch: Batches in an epoch; None for one pass over the real images.
        seed: Seed of everything.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ConfigError: If the pairs cannot be drawn or divided among the processes, or the space has no such classes.
    """

    def __init__(
        self,
        space: ParameterSpace,
        num_classes: int,
        labels: Int[Tensor, " r"],
        pairs: int,
        steps_per_epoch: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_counts(len(labels), pairs, pairs, world_size)
        if not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise ConfigError(
                f"Labels of {num_classes} classes are 0 to {num_classes - 1}, "
                f"not {int(labels.min())} to {int(labels.max())}."
            )
        self.space, self.num_classes, self.labels, self.pairs = space, num_classes, labels.cpu(), pairs
        self.rank, self.world_size = rank, world_size
        class_draws(space, num_classes, self.labels[:0], [seed])  # what does not fit shows here
        super().__init__(-(-len(labels) // pairs) if steps_per_epoch is None else steps_per_epoch, seed)

    def draw_epoch(self) -> Callable[[int], Draws]:
        """See `EpochSampler.draw_epoch`."""
        order = passes(len(self.labels), self.pairs * len(self), self.stream(_REAL, self.epoch))
        key = [self.seed, _SYNTHETIC, self.epoch]
        draws = class_draws(self.space, self.num_classes, self.labels[order], key)

        def batch(step: int) -> Draws:
            """This process's rows of a batch."""
            rows = slice(step * self.pairs + self.rank, (step + 1) * self.pairs, self.world_size)
            return copies({"real": order, **draws}, rows)

        return batch


def class_draws(space: ParameterSpace, num_classes: int, label: Int[Tensor, " n"], seed: Sequence[int]) -> Draws:
    """Draws a sample of each given class, from P0 within that class.

    Args:
        space: Where from; the class is its first factor, so each class has an equal run of buckets.
        num_classes: Number of classes.
        label: Class of each sample.
        seed: Numbers that name this set.

    Raises:
        ConfigError: If the buckets do not divide among the classes, or a class holds no share of the space.
    """
    edges = _class_edges(space, num_classes)
    place = label + torch.from_numpy(np.random.default_rng([*seed, _BUCKET]).random(len(label)))
    # Rounded up, the number of a late class would lie in the next one.
    end = (label + 1).double()
    place = place.minimum(end.nextafter(torch.zeros_like(end)))
    bucket = torch.searchsorted(edges, place, right=True)
    return draws_inside(space, bucket, np.random.default_rng([*seed, _INSIDE]))


def _class_edges(space: ParameterSpace, num_classes: int) -> Float[Tensor, " k"]:
    """Upper edge of each bucket if class c is stretched over [c, c + 1): one sorted list for all classes."""
    if space.num_buckets % num_classes:
        raise ConfigError(
            f"The space's {space.num_buckets} buckets do not divide among {num_classes} classes: the class must be "
            "its first factor."
        )
    total = space.volumes().view(num_classes, -1).cumsum(1)
    empty = (total[:, -1] <= 0).nonzero()[:, 0].tolist()
    if empty:
        raise ConfigError(f"The classes {empty} hold no share of the space: nothing can be drawn for them.")
    return (total / total[:, -1:] + torch.arange(num_classes)[:, None]).flatten()
