"""A small bucket sampler and its epochs, for the tests of bucket sampling."""

import torch

from synthreal.samplers import BucketDistribution, BucketSampler
from tests.samplers.sampler_parts import SPACE, joined


def sampler(probability=None, prior=None, **settings):
    distribution = BucketDistribution(torch.ones(6) if prior is None else torch.tensor(prior))
    if probability is not None:
        distribution.probability = torch.tensor(probability, dtype=torch.float64)
    settings = {"num_real": 20, "real_per_batch": 4, "synthetic_per_batch": 8, **settings}
    return BucketSampler(SPACE, distribution, **settings)


def epoch(sampler, number=0):
    """All draws of an epoch, one after another."""
    sampler.resume(number, 0)
    return joined(sampler)
