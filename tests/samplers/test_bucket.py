import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from synthreal.errors import ConfigError
from synthreal.samplers import BucketDistribution, BucketSampler
from synthreal.spaces import Categorical, Continuous, Product

SPACE = Product([Categorical("class", ["a", "b"]), Continuous("x", 0.0, 3.0, 3)])


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


def joined(batches):
    batches = list(batches)
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


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
    # a view pickled to a worker would take the whole epoch along
    for batch in sampler():
        for rows in batch.values():
            assert rows.untyped_storage().nbytes() == rows.nbytes


def rows(draws, where=slice(None)):
    """The synthetic rows as a set."""
    draws = {key: draws[key][where] for key in ("bucket", "parameters", "seed")}
    return {
        (bucket, *parameters, seed)
        for bucket, parameters, seed in zip(
            draws["bucket"].tolist(), draws["parameters"].tolist(), draws["seed"].tolist(), strict=True
        )
    }


def the_pool(size, **settings):
    """All rows of a pool, by drawing from it alone until each has come."""
    made = sampler(synthetic_per_batch=100, steps_per_epoch=20, pool_size=size, pool_share=1.0, **settings)
    return rows(joined(made))


def test_pool_only_draws_exactly_the_rows_of_the_pool_in_every_epoch():
    pool = the_pool(12)
    assert len(pool) == 12
    made = sampler([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], pool_size=12, pool_share=1.0, steps_per_epoch=50)
    for number in (0, 1, 5):
        assert rows(epoch(made, number)) == pool


def test_the_pool_comes_from_the_prior_and_not_from_the_probability():
    prior = [0.5, 0.25, 0.25, 0.0, 0.0, 0.0]
    pool = the_pool(200, prior=prior)
    count = np.bincount([row[0] for row in pool], minlength=6)
    assert count.sum() == 200
    assert count[3:].sum() == 0
    assert stats.chisquare(count[:3], np.array(prior[:3]) * 200).pvalue > 0.001
    assert the_pool(200, prior=prior, probability=[0.98, 0.01, 0.01, 0, 0, 0]) < pool


def test_pool_only_follows_the_probability_over_the_buckets_it_holds():
    probability = np.array([0.4, 0.1, 0.2, 0.1, 0.1, 0.1])
    held = sorted({row[0] for row in the_pool(3, seed=1)})
    assert len(held) == 2  # this seed leaves four buckets empty
    made = sampler(probability, seed=1, pool_size=3, pool_share=1.0, synthetic_per_batch=100, steps_per_epoch=50)
    count = np.bincount(joined(made)["bucket"].numpy(), minlength=6)
    assert set(count.nonzero()[0]) == set(held)
    expected = 5000 * probability[held] / probability[held].sum()
    assert stats.chisquare(count[held], expected).pvalue > 0.001


def test_fresh_draws_ignore_the_pool():
    assert equal(joined(sampler(pool_size=12, pool_share=0.0)), joined(sampler()))


def test_a_mixed_draw_takes_its_share_from_the_pool_and_keeps_the_buckets():
    pool = the_pool(60)
    settings = {"synthetic_per_batch": 100, "steps_per_epoch": 40}
    mixed = joined(sampler(pool_size=60, pool_share=0.3, **settings))
    fresh = joined(sampler(**settings))
    seeds = {row[-1] for row in pool}
    from_pool = torch.tensor([seed in seeds for seed in mixed["seed"].tolist()])
    # four standard deviations of a share of 0.3 of 4,000
    assert abs(float(from_pool.double().mean()) - 0.3) < 4 * (0.21 / 4000) ** 0.5
    assert rows(mixed, from_pool) <= pool
    assert torch.equal(mixed["bucket"], fresh["bucket"])
    for key in ("parameters", "seed"):
        assert torch.equal(mixed[key][~from_pool], fresh[key][~from_pool])


def test_a_mixed_draw_uses_every_row_of_a_bucket_alike():
    draws = joined(sampler(pool_size=60, pool_share=0.9, synthetic_per_batch=100, steps_per_epoch=60))
    by_seed = {row[-1]: row[0] for row in the_pool(60)}
    count = dict.fromkeys(by_seed, 0)
    for seed in draws["seed"].tolist():
        if seed in count:
            count[seed] += 1
    for bucket in range(6):
        assert stats.chisquare([count[seed] for seed in by_seed if by_seed[seed] == bucket]).pvalue > 0.001


def test_a_mixed_draw_makes_buckets_anew_that_the_pool_lacks():
    pool = the_pool(3, seed=1)
    held = {row[0] for row in pool}
    draws = joined(sampler(seed=1, pool_size=3, pool_share=0.99, synthetic_per_batch=100, steps_per_epoch=20))
    assert len(held) < 6
    assert set(draws["bucket"].tolist()) == set(range(6))
    assert torch.equal(SPACE.assign(draws["parameters"]), draws["bucket"])
    empty = torch.tensor([bucket not in held for bucket in draws["bucket"].tolist()])
    assert len(draws["seed"][empty].unique()) == int(empty.sum())
    assert rows(draws, empty).isdisjoint(pool)


def test_pool_only_says_so_if_the_probability_lies_elsewhere():
    held = {row[0] for row in the_pool(3, seed=1)}
    elsewhere = [0.0 if bucket in held else 1 / (6 - len(held)) for bucket in range(6)]
    with pytest.raises(ConfigError, match="pool"):
        iter(sampler(elsewhere, seed=1, pool_size=3, pool_share=1.0))


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
