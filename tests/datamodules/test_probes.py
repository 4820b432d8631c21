import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthreal.batch import Domain, LabelledImages
from synthreal.datamodules.probes import ProbeSet
from synthreal.generators import Augment, ImageGenerator
from synthreal.spaces import Categorical, Continuous, Product

SETTINGS = settings(deadline=None, max_examples=100, database=None, derandomize=True)
CPU = torch.device("cpu")


class Plain(ImageGenerator):
    """An image of one pixel that holds the seed; counts its calls."""

    def __init__(self, buckets):
        self.space = Product([Categorical("class", ["a"]), Continuous("x", 0.0, 1.0, buckets)])
        self.num_classes = 1
        self.calls = 0

    def generate(self, draws, device):
        self.calls += 1
        return {
            "image": draws["seed"][:, None, None, None].float(),
            "label": torch.zeros_like(draws["bucket"]),
            "domain": torch.full_like(draws["bucket"], Domain.SYNTHETIC),
            "bucket": draws["bucket"],
            "parameters": draws["parameters"],
        }


def collected(probes, size, **share):
    """Indices, buckets and seeds of all batches."""
    batches = list(probes.batches(CPU, size, **share))
    index = torch.cat([index for index, _ in batches])
    bucket = torch.cat([batch["bucket"] for _, batch in batches])
    seed = torch.cat([batch["image"].flatten() for _, batch in batches]).long()
    return index, bucket, seed


@SETTINGS
@given(st.integers(1, 60), st.integers(1, 200))
@example(60, 50)
@example(60, 40)
def test_probes_are_spread_evenly(buckets, count):
    bucket = ProbeSet(Plain(buckets), count, seed=0).bucket.numpy()
    held = np.bincount(bucket, minlength=buckets)
    assert held.sum() == count
    assert len(held) == buckets
    # M/K each, up to a remainder; with fewer probes than buckets, no bucket twice
    assert held.min() >= count // buckets
    assert held.max() <= -(-count // buckets)


@SETTINGS
@given(st.integers(1, 40), st.integers(0, 200))
def test_the_jth_probe_of_every_bucket_has_seed_j(buckets, extra):
    probes = ProbeSet(Plain(buckets), buckets + extra, seed=0)
    _, bucket, seed = collected(probes, 64)
    for k in range(buckets):
        own = seed[bucket == k]
        assert own.tolist() == list(range(len(own)))


def test_fewer_probes_than_buckets_reach_everywhere():
    bucket = ProbeSet(Plain(1000), 100, seed=1).bucket.numpy()
    # one in each stretch of ten
    np.testing.assert_array_equal(bucket // 10, np.arange(100))
    assert len(set(bucket % 10)) == 10


def test_a_million_buckets_need_no_million_probes():
    space = Product([Continuous(name, 0.0, 1.0, 100) for name in "abc"])
    generator = Plain(1)
    generator.space = space
    probes = ProbeSet(generator, 500, seed=0)
    assert len(probes.bucket.unique()) == 500
    assert probes.coordinates.shape == (500, 3)


def test_parameters_lie_in_their_bucket_and_are_fixed_by_the_seed():
    first, again, other = (ProbeSet(Plain(8), 40, seed=seed) for seed in (3, 3, 4))
    one, two, three = (next(probes.batches(CPU, 40))[1]["parameters"] for probes in (first, again, other))
    assert torch.equal(Plain(8).space.assign(one), first.bucket)
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    # coordinates are those parameters on axes of length 1: the class, then x
    np.testing.assert_allclose(first.coordinates[:, -1].numpy(), one[:, 1].numpy())


@pytest.mark.parametrize("size", [1, 7, 30, 100])
def test_batches_go_through_all_probes_in_order(size):
    index, bucket, _ = collected(ProbeSet(Plain(6), 30, seed=0), size)
    assert index.tolist() == list(range(30))
    assert torch.equal(bucket, ProbeSet(Plain(6), 30, seed=0).bucket)


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_share_the_probes(world_size):
    whole = ProbeSet(Plain(6), 31, seed=0)
    parts = [
        collected(ProbeSet(Plain(6), 31, seed=0), 5, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    index, bucket, seed = (torch.cat(column) for column in zip(*parts, strict=True))
    assert sorted(index.tolist()) == list(range(31))
    expected = collected(whole, 5)
    assert torch.equal(bucket, expected[1][index])
    assert torch.equal(seed, expected[2][index])


@pytest.mark.parametrize("rank", [2, 3])
def test_a_rank_without_probes_has_none(rank):
    batches = list(ProbeSet(Plain(2), 2, seed=0).batches(CPU, 5, rank=rank, world_size=4))
    assert sum(len(index) for index, _ in batches) == 0


def test_no_probes_are_nothing_to_yield():
    probes = ProbeSet(Plain(4), 0, seed=0)
    assert len(probes.bucket) == 0
    assert sum(len(index) for index, _ in probes.batches(CPU, 5)) == 0


def test_images_are_made_once_and_kept():
    generator = Plain(6)
    probes = ProbeSet(generator, 30, seed=0)
    first = collected(probes, 10)
    assert generator.calls == 3
    assert all(torch.equal(a, b) for a, b in zip(first, collected(probes, 10), strict=True))
    assert generator.calls == 3


def test_a_pass_that_was_broken_off_is_not_kept():
    probes = ProbeSet(Plain(6), 30, seed=0)
    next(probes.batches(CPU, 10))
    assert collected(probes, 10)[0].tolist() == list(range(30))


def test_images_too_many_to_keep_are_made_again(monkeypatch):
    monkeypatch.setattr("synthreal.datamodules.probes._CACHE_BYTES", 50)  # 30 images of 4 bytes do not fit
    generator = Plain(6)
    probes = ProbeSet(generator, 30, seed=0)
    first = collected(probes, 10)
    assert all(torch.equal(a, b) for a, b in zip(first, collected(probes, 10), strict=True))
    assert generator.calls == 6


def test_what_was_kept_is_not_given_to_another_rank():
    probes = ProbeSet(Plain(6), 30, seed=0)
    collected(probes, 10, rank=0, world_size=2)
    assert collected(probes, 10, rank=1, world_size=2)[0].tolist() == list(range(1, 30, 2))


def test_probes_of_augment_use_every_held_out_image():
    # three images a class, each of one brightness; 16 × 2 buckets with three probes each
    pixels = (40 * torch.arange(1, 7, dtype=torch.uint8))[:, None, None, None].expand(6, 1, 9, 9).contiguous()
    generator = Augment(num_classes=2)
    generator.bind(LabelledImages(pixels, torch.tensor([0, 0, 0, 1, 1, 1]), ("a", "b")))
    probes = ProbeSet(generator, 96, seed=0)
    _, batch = next(probes.batches(CPU, 96))
    # the centre of a flat image stays what it is under every transformation
    centre = (255 * batch["image"][:, 0, 4, 4]).round().int()
    for bucket in range(32):
        expected = [40, 80, 120] if bucket < 16 else [160, 200, 240]
        assert sorted(centre[probes.bucket == bucket].tolist()) == expected
    assert torch.equal(batch["label"], probes.bucket // 16)
