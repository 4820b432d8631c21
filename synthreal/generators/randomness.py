"""Random numbers of a sample, made on its device: a pure function of (seed, purpose, position).

A counter goes through SplitMix64's finaliser (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators"), in int64 arithmetic that wraps. Only whole numbers and table look-ups: the same bits on CPU and GPU,
and in a batch of any size.
"""

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64


def _mix(z: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    # torch shifts the sign in; the mask takes it out again
    z = z ^ ((z >> 30) & (2**34 - 1))
    z *= _FIRST
    z ^= (z >> 27) & (2**37 - 1)
    z *= _SECOND
    z ^= (z >> 31) & (2**33 - 1)
    return z


def _words(seed: Int[Tensor, " n"], purpose: int, count: int) -> Int[Tensor, "n count"]:
    """64 random bits for each position: SplitMix64's stream from a state that seed and purpose pick."""
    state = _mix(_mix(seed) + purpose)
    steps = torch.arange(1, count + 1, device=seed.device) * _GAMMA
    return _mix(state[:, None] + steps)


def uniforms(seed: Int[Tensor, " n"], purpose: int, count: int) -> Float[Tensor, "n count"]:
    """Returns random numbers in [0, 1), multiples of 2^-24, float32.

    Args:
        seed: Seed of each sample, int64.
        purpose: What they are for; another purpose gives other numbers.
        count: How many for each sample. The first ones stay the same when there are more.
    """
    halves = _words(seed, purpose, (count + 1) // 2).view(torch.int32)[:, :count]
    return (halves >> 8).bitwise_and_(2**24 - 1).float().mul_(2**-24)


@cache
def _quantiles(device: torch.device) -> Float[Tensor, "65536"]:
    """Middles of 2^16 equal shares of the normal distribution."""
    return torch.special.ndtri((torch.arange(2**16, dtype=torch.float64) + 0.5) * 2**-16).float().to(device)


def normals(seed: Int[Tensor, " n"], purpose: int, count: int) -> Float[Tensor, "n count"]:
    """Returns standard normal random numbers, float32: 2^16 values of equal probability, from -4.33 to 4.33.

    Args:
        seed: Seed of each sample, int64.
        purpose: What they are for; another purpose gives other numbers.
        count: How many for each sample. The first ones stay the same when there are more.
    """
    quarters = _words(seed, purpose, (count + 3) // 4).view(torch.int16)[:, :count]
    index = quarters.int() & (2**16 - 1)
    return _quantiles(seed.device).index_select(0, index.flatten()).view(index.shape)
