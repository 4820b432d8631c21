"""A fixed number of draws, spread over a space as evenly as chance allows."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from synthreal.batch import Draws
from synthreal.spaces import ParameterSpace

# Random streams of their own: those of the epochs start at 0.
_STRATUM, _ORDER, _INSIDE = range(10, 13)


def even_draws(space: ParameterSpace, count: int, seed: Sequence[int]) -> Draws:
    """Draws `count` samples from P0 as evenly as chance allows.

    [0, 1) is cut into `count` strata and one random number from each picks a bucket. So a run of buckets (a class,
    say) that holds a share s of the space gets s·count samples, less than 2 off. Then they are shuffled.

    Args:
        space: Where from.
        count: How many.
        seed: Numbers that name this set.
    """

    def stream(purpose: int) -> np.random.Generator:
        """Random numbers of their own for each purpose."""
        return np.random.default_rng([*seed, purpose])

    place = (np.arange(count) + stream(_STRATUM).random(count)) / count
    edges = space.volumes().cumsum(0)
    position = torch.from_numpy(place[stream(_ORDER).permutation(count)]) * edges[-1]
    # Never the end itself, which lies behind the last bucket.
    position = position.minimum(edges[-1].nextafter(torch.zeros_like(edges[-1])))
    return draws_inside(space, torch.searchsorted(edges, position, right=True), stream(_INSIDE))


def draws_inside(space: ParameterSpace, bucket: Int[Tensor, " n"], stream: np.random.Generator) -> Draws:
    """Returns one sample from each of the given buckets, uniform inside it.

    Args:
        space: Where from.
        bucket: Bucket of each sample.
        stream: Random numbers.
    """
    uniform = torch.from_numpy(stream.random((len(bucket), len(space.columns)), dtype=np.float32))
    number = torch.from_numpy(stream.integers(0, 2**63 - 1, len(bucket)))
    return {"bucket": bucket, "parameters": space.place(bucket, uniform), "seed": number}
