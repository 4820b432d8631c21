"""Draws that cover the space evenly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthreal.samplers import BucketDistribution, BucketSampler, MixingSampler, even_draws
from synthreal.samplers.even import draws_inside
from synthreal.spaces import Categorical, Continuous, Product, Union

SPACE = Product([Categorical("kind", ["ant", "bee", "cow"]), Continuous("grey", 0, 0.5, 4)])


@given(st.integers(0, 400), st.integers(0, 3))
def test_every_run_of_buckets_gets_its_share(count, seed):
    space = Product(
        [Categorical("class", "abc"), Union("how", [Continuous("x", 0, 1, 3), Continuous("y", 0, 1)], [1, 3])]
    )
    draws = even_draws(space, count, [seed])
    held = torch.bincount(draws["bucket"], minlength=space.num_buckets).double().cumsum(0)
    expected = space.volumes().cumsum(0) * count
    assert int(held[-1]) == count
    assert float((held - expected).abs().max()) < 1 + 1e-9  # from the first bucket on only the last stratum is cut
    assert torch.equal(space.assign(draws["parameters"]), draws["bucket"])


@pytest.mark.parametrize("count", [3, 300, 3333])
def test_classes_are_balanced_and_shuffled(count):
    draws = even_draws(SPACE, count, [0])
    label = draws["parameters"][:, 0].long()
    assert torch.bincount(label).tolist() == [count // 3] * 3
    if count > 3:
        changes = (label.diff() != 0).float().mean()
        assert 0.55 < float(changes) < 0.78  # two thirds when shuffled, 0.007 in order


def test_many_buckets_are_not_visited_in_step():
    space = Product([Categorical("class", "ab"), Continuous("x", 0, 1, 50), Continuous("y", 0, 1, 10)])
    last = even_draws(space, 100, [0])["bucket"] % 10  # ten buckets for each sample
    assert len(last.unique()) == 10


def test_a_bucket_of_no_volume_is_never_drawn():
    space = Union("how", [Continuous("x", 0, 1, 2), Continuous("y", 0, 1, 2), Continuous("z", 0, 1)], [0, 1, 0])
    assert torch.bincount(even_draws(space, 1000, [1])["bucket"], minlength=5).tolist() == [0, 0, 500, 500, 0]


def test_each_sample_is_inside_its_own_bucket():
    bucket = torch.tensor([7, 0, 7, 11, 3])
    draws = draws_inside(SPACE, bucket, np.random.default_rng(0))
    assert torch.equal(draws["bucket"], bucket)
    assert torch.equal(SPACE.assign(draws["parameters"]), bucket)
    assert not torch.equal(draws["parameters"][0], draws["parameters"][2])
    assert len(draws["seed"].unique()) == 5


@pytest.mark.parametrize("other", [[2], [1, 1], [0, 1]])
def test_draws_are_those_of_the_seed(other):
    first = even_draws(SPACE, 50, [1])
    torch.manual_seed(7)
    again, another = even_draws(SPACE, 50, [1]), even_draws(SPACE, 50, other)
    for key in ("bucket", "parameters", "seed"):
        assert torch.equal(first[key], again[key])
        assert not torch.equal(first[key], another[key])
    assert len(first["seed"].unique()) == 50
    assert int(first["seed"].min()) >= 0


def test_the_stream_is_no_training_samplers():
    real = BucketSampler(SPACE, BucketDistribution(SPACE.volumes()), 0, 0, 50, steps_per_epoch=1, seed=1)
    fresh = MixingSampler(SPACE, 0, {0: (0, 50)}, steps_per_epoch=1, seed=1)
    drawn = torch.cat([next(iter(sampler))["seed"] for sampler in (real, fresh)])
    assert not torch.isin(drawn, even_draws(SPACE, 50, [1])["seed"]).any()


def test_a_set_of_none_is_empty():
    draws = even_draws(SPACE, 0, [1])
    assert draws["parameters"].shape == (0, 2)
    assert len(draws["bucket"]) == len(draws["seed"]) == 0
