"""Batches drawn by bucket: passes over the real images, the distribution, ranks, epochs that go on."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from synthreal.errors import ConfigError
from synthreal.samplers import BucketDistribution, BucketSampler
from synthreal.spaces import Continuous, Product
from tests.samplers.bucket_parts import epoch, sampler
from tests.samplers.sampler_parts import equal, joined, own_their_memory


def test_an_epoch_is_one_pass_over_the_real_images():
    made = sampler()
    batches = list(made)
    assert len(made) == len(batches) == 5
    for batch in batches:
        assert batch["real"].shape == (4,)
        assert batch["bucket"].shape == batch["seed"].shape == (8,)
        assert batch["parameters"].shape == (8, 2)
    assert sorted(joined(batches)["real"].tolist()) == list(range(20))
    # 20 do not divide by 6: three whole batches, no image twice
    short = joined(sampler(real_per_batch=6))["real"].tolist()
    assert len(short) == len(set(short)) == 18


def test_every_pass_is_a_permutation_of_its_own():
    real = joined(sampler(steps_per_epoch=12))["real"].view(-1, 4)[:10].reshape(2, 20)
    for one in real:
        assert sorted(one.tolist()) == list(range(20))
    assert not torch.equal(real[0], real[1])


def test_real_images_are_visited_in_any_order():
    made = sampler(synthetic_per_batch=0)
    first = []
    for number in range(400):
        made.resume(number, 0)
        first.append(int(next(iter(made))["real"][0]))
    assert stats.chisquare(np.bincount(first, minlength=20)).pvalue > 0.001


def test_buckets_follow_the_probability_and_parameters_fill_their_bucket():
    probability = np.array([0.3, 0.05, 0.15, 0.1, 0.4, 0.0])
    draws = joined(sampler(probability, synthetic_per_batch=100, steps_per_epoch=100))
    bucket = draws["bucket"].numpy()
    count = np.bincount(bucket, minlength=6)
    assert count[5] == 0
    assert stats.chisquare(count[:5], probability[:5] * 10_000).pvalue > 0.001
    # bucket = class × 3 + bin, and x is uniform inside the bin of width 1
    label, x = draws["parameters"].double().numpy().T
    np.testing.assert_array_equal(label, bucket // 3)
    np.testing.assert_array_equal(np.floor(x), bucket % 3)
    assert stats.kstest(x - np.floor(x), "uniform").pvalue > 0.001


def test_seeds_are_all_different_and_in_range():
    seed = joined(sampler(synthetic_per_batch=100, steps_per_epoch=20))["seed"]
    assert len(seed.unique()) == 2000
    assert int(seed.min()) >= 0
    # of 2,000 uniform 63-bit numbers, half lie above 2^62
    assert abs(float((seed > 2**62).double().mean()) - 0.5) < 0.06


def test_draws_are_a_pure_function_of_seed_epoch_and_probability():
    probability = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    first = epoch(sampler(probability, seed=3), 7)
    torch.manual_seed(0)
    made = sampler(probability, seed=3)
    epoch(made, 2)  # what was drawn before does not matter
    assert equal(first, epoch(made, 7))
    for other in (epoch(made, 8), epoch(sampler(probability, seed=4), 7)):
        for key in ("real", "bucket", "parameters", "seed"):
            assert not torch.equal(first[key], other[key])


def test_changing_the_probability_leaves_the_real_images_unchanged():
    uniform, tilted = epoch(sampler(), 3), epoch(sampler([0, 0, 0, 0, 0, 1.0]), 3)
    assert torch.equal(uniform["real"], tilted["real"])
    assert not torch.equal(uniform["bucket"], tilted["bucket"])
    # and two arms see the same seeds, so that they differ in P alone
    assert torch.equal(uniform["seed"], tilted["seed"])


def test_more_synthetic_images_leave_the_real_ones_unchanged():
    assert torch.equal(epoch(sampler(), 3)["real"], epoch(sampler(synthetic_per_batch=2), 3)["real"])


def test_probability_is_read_when_the_iterator_is_made():
    made = sampler()
    before = joined(made)
    batches = iter(made)
    made.distribution.probability = torch.tensor([0, 0, 0, 0, 0, 1.0], dtype=torch.float64)
    assert equal(joined(batches), before)
    assert set(joined(made)["bucket"].tolist()) == {5}


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_share_the_global_batch(world_size):
    whole = list(sampler(seed=5, pool_size=30, pool_share=0.5))
    parts = [
        list(sampler(seed=5, pool_size=30, pool_share=0.5, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert all(len(part) == len(whole) for part in parts)
    for step, batch in enumerate(whole):
        for key, rows in batch.items():
            # rank r has every world_size-th row from r on
            together = torch.stack([part[step][key] for part in parts], 1).flatten(0, 1)
            assert torch.equal(together, rows)


@pytest.mark.parametrize("pool", [{}, {"pool_size": 10, "pool_share": 0.5}])
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_a_resumed_epoch_is_the_tail_of_the_full_one(batch, pool):
    full = sampler(**pool)
    full.resume(3, 0)
    tail = sampler(**pool)
    tail.resume(3, batch)
    assert (tail.epoch, tail.trained) == (3, batch)
    expected, got = list(full)[batch:], list(tail)
    assert len(got) == len(expected) == 5 - batch
    assert all(equal(a, b) for a, b in zip(expected, got, strict=True))


def test_an_epoch_counts_once_a_batch_of_it_has_been_trained():
    made = sampler()
    first = joined(made)
    assert equal(joined(made), first)  # an iterator that gave the model nothing does not count
    made.trained += 1
    second = joined(made)
    assert made.epoch == 1
    assert made.trained == 0
    assert equal(second, epoch(sampler(), 1))


def test_epochs_go_on_from_a_resumed_one():
    made = sampler()
    made.resume(2, 3)
    for _ in made:
        made.trained += 1
    assert made.trained == len(made)
    assert equal(joined(made), epoch(sampler(), 3))


def test_batches_do_not_carry_the_epoch_with_them():
    assert own_their_memory(sampler())


def test_real_only_and_synthetic_only():
    real = list(sampler(synthetic_per_batch=0))
    assert len(real) == 5
    assert all(len(batch["bucket"]) == len(batch["seed"]) == 0 for batch in real)
    assert all(batch["parameters"].shape == (0, 2) for batch in real)
    assert torch.equal(joined(real)["real"], joined(sampler())["real"])
    synthetic = list(sampler(num_real=0, real_per_batch=0, steps_per_epoch=3))
    assert len(synthetic) == 3
    assert all(len(batch["real"]) == 0 and len(batch["bucket"]) == 8 for batch in synthetic)


def test_a_million_buckets_are_cheap():
    space = Product([Continuous(name, 0.0, 1.0, 100) for name in "abc"])
    made = BucketSampler(space, BucketDistribution(space.volumes()), 0, 0, 16, steps_per_epoch=4)
    draws = joined(made)
    assert torch.equal(space.assign(draws["parameters"]), draws["bucket"])
    assert len(draws["bucket"].unique()) > 60  # 64 draws of 10^6 hardly ever agree


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"real_per_batch": -4}, "-4 real"),
        ({"synthetic_per_batch": -1}, "-1 synthetic"),
        ({"real_per_batch": 0, "synthetic_per_batch": 0}, "0 real and 0 synthetic"),
        ({"num_real": 0}, "no real training images"),
        ({"real_per_batch": 0}, "steps_per_epoch"),
        ({"real_per_batch": 21}, "no batch of 21"),
        ({"steps_per_epoch": 0}, "steps_per_epoch"),
        ({"real_per_batch": 3, "world_size": 2}, "3 real ones do not divide by 2"),
        ({"synthetic_per_batch": 9, "world_size": 2}, "9 synthetic ones do not divide by 2"),
        ({"pool_share": 0.5}, "pool"),
        ({"pool_share": -0.1, "pool_size": 5}, "pool_share"),
        ({"pool_share": 1.1, "pool_size": 5}, "pool_share"),
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        sampler(**settings)


def test_every_epoch_draws_something_else():
    made = sampler()
    epochs = [epoch(made, number) for number in range(6)]
    for a, b in itertools.combinations(epochs, 2):
        assert not torch.equal(a["real"], b["real"])
        assert set(a["seed"].tolist()).isdisjoint(b["seed"].tolist())
