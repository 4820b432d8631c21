"""Samplers of two domains and their fixed sets, for the tests of mixing."""

import torch

from synthreal.samplers import ConcatenationSampler, MixingSampler, even_draws
from tests.samplers.sampler_parts import SPACE

COLUMNS = ("bucket", "parameters", "seed")


def fixed(count):
    """A set whose rows are told apart by their seed, which is their number."""
    return {**even_draws(SPACE, count, [9]), "seed": torch.arange(count)}


def mixing(synthetic=SPACE, num_real=20, counts=(4, 8), **settings):
    return MixingSampler(synthetic, num_real, counts if isinstance(counts, dict) else {0: counts}, **settings)


def concatenation(size=30, num_real=20, batch_size=10, **settings):
    return ConcatenationSampler(fixed(size), num_real, batch_size, **settings)
