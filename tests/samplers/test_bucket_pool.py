"""Synthetic images drawn from a pool, and from a pool and anew."""

import numpy as np
import pytest
import torch
from scipy import stats

from synthreal.errors import ConfigError
from tests.samplers.bucket_parts import epoch, sampler
from tests.samplers.sampler_parts import SPACE, equal, joined


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
