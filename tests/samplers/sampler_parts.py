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


def redrawn(make):
    """Epoch 7 of a seed, the same after another one, and two others: the next epoch, and that of another seed."""
    first = joined(epoch(make(seed=3), 7))
    torch.manual_seed(0)
    made = make(seed=3)
    epoch(made, 2)  # what was drawn before does not matter
    return first, joined(epoch(made, 7)), (joined(epoch(made, 8)), joined(epoch(make(seed=4), 7)))


def resumed(make, batch):
    """The batches of an epoch from one on: of the full epoch, and of one that starts there."""
    tail = make()
    tail.resume(3, batch)
    return epoch(make(), 3)[batch:], list(tail)


def own_their_memory(batches):
    """Whether no table is a view of more: pickled to a worker, that would take the whole epoch along."""
    return all(rows.untyped_storage().nbytes() == rows.nbytes for batch in batches for rows in batch.values())
