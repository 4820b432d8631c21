"""A small space, and what an epoch of a sampler draws, for the tests of samplers."""

import torch

from synthreal.spaces import Categorical, Continuous, Product

SPACE = Product([Categorical("class", ["a", "b"]), Continuous("x", 0.0, 3.0, 3)])


def epoch(sampler, number=0):
    """All batches of an epoch."""
    sampler.resume(number, 0)
    return list(sampler)


def joined(batches):
    batches = list(batches)
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
