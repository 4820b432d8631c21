"""The tilt of P against its equation, its bounds, and draws that follow it."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthreal.errors import ConfigError
from synthreal.samplers import BucketDistribution, UpdateRule
from synthreal.samplers.distribution import LARGEST_BETA, effective_share, largest_beta, tilt

SETTINGS = settings(deadline=None, max_examples=60, database=None, derandomize=True)
FORMS = ["mixture", "printed"]
difficulties = st.lists(st.floats(0, 1), min_size=2, max_size=30)
alphas = st.floats(0, 1)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def some_prior(count, seed):
    prior = np.random.default_rng(seed).random(count) + 0.05
    return prior / prior.sum()


def equation_7(prior, difficulty, alpha, beta, form):
    """Both readings, without any care for overflow."""
    adaptive = prior * np.exp(beta * difficulty)
    if form == "mixture":
        return alpha * prior + (1 - alpha) * adaptive / adaptive.sum()
    mixed = alpha * prior + (1 - alpha) * adaptive
    return mixed / mixed.sum()


def share_of(prior, probability):
    return 1 / (probability**2 / prior).sum()


@SETTINGS
@given(difficulties, st.floats(0, 20), alphas, st.sampled_from(FORMS), st.integers(0, 100))
def test_tilt_is_equation_7(difficulty, beta, alpha, form, seed):
    prior = some_prior(len(difficulty), seed)
    got = tilt(tensor(prior), tensor(difficulty), alpha, beta, form)
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got.numpy(), equation_7(prior, np.array(difficulty), alpha, beta, form), rtol=1e-9)


@SETTINGS
@given(difficulties, st.floats(0, 1e4), alphas, st.sampled_from(FORMS), st.integers(0, 100))
def test_tilt_is_a_distribution_that_never_goes_against_difficulty(difficulty, beta, alpha, form, seed):
    prior = some_prior(len(difficulty), seed)
    got = tilt(tensor(prior), tensor(difficulty), alpha, beta, form).numpy()
    assert math.isclose(got.sum(), 1, rel_tol=1e-9)
    assert (got >= 0).all()
    ratio = (got / prior)[np.argsort(difficulty)]
    assert (np.diff(ratio) >= -1e-9 * ratio.max()).all()
    if form == "mixture":
        assert (got >= alpha * prior * (1 - 1e-12)).all()


def test_tilt_worked_by_hand():
    # P0·exp(d) = (1/2, 1/2, 1): a sum of 2, so that the two readings differ
    prior, difficulty = tensor([0.5, 0.25, 0.25]), tensor([0, math.log(2), math.log(4)])
    np.testing.assert_allclose(tilt(prior, difficulty, 0.0, 1.0).numpy(), [1 / 4, 1 / 4, 1 / 2])
    np.testing.assert_allclose(tilt(prior, difficulty, 0.5, 1.0).numpy(), [3 / 8, 1 / 4, 3 / 8])
    np.testing.assert_allclose(tilt(prior, difficulty, 0.5, 1.0, "printed").numpy(), [1 / 3, 1 / 4, 5 / 12])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 3.0), (1.0, 1e4), (0.0, 0.0), (0.3, 0.0)])
def test_full_weight_of_the_prior_or_no_sharpness_gives_the_prior(alpha, beta, form):
    prior = some_prior(5, 0)
    got = tilt(tensor(prior), tensor([0.1, 0.9, 0.3, 1, 0]), alpha, beta, form)
    np.testing.assert_allclose(got.numpy(), prior, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_large_beta_does_not_overflow(form):
    # exp(10^4) is infinite; in the printed form the prior's share of the mass goes to 0
    got = tilt(tensor([0.2, 0.3, 0.5]), tensor([0.5, 1, 1]), 0.5, 1e4, form).numpy()
    collapsed = np.array([0, 0.375, 0.625])
    prior = np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(got, collapsed if form == "printed" else (prior + collapsed) / 2, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_negative_difficulty_does_not_overflow(form):
    # "any finite values": exp(-10^4) is 0, so the printed form is left with the prior
    prior, difficulty = np.array([0.2, 0.3, 0.5]), tensor([-2, -1, -1])
    got = tilt(tensor(prior), difficulty, 0.5, 1e4, form).numpy()
    collapsed = np.array([0, 0.375, 0.625])
    np.testing.assert_allclose(got, prior if form == "printed" else (prior + collapsed) / 2, atol=1e-12)
    np.testing.assert_allclose(tilt(tensor(prior), difficulty, 0.0, 1e4, form).numpy(), collapsed, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_bucket_without_prior_does_not_swallow_the_others(form):
    # its difficulty must not set the scale of the exponentials: the two others would underflow to 0 / 0
    got = tilt(tensor([0.5, 0.5, 0]), tensor([0, 0, 1]), 0.0, 1e4, form)
    np.testing.assert_allclose(got.numpy(), [0.5, 0.5, 0])


@SETTINGS
@given(difficulties, st.floats(0, 5), alphas, st.integers(0, 100))
def test_effective_share_is_one_over_one_plus_chi_square(difficulty, beta, alpha, seed):
    prior = some_prior(len(difficulty), seed)
    probability = equation_7(prior, np.array(difficulty), alpha, beta, "mixture")
    chi_square = ((probability - prior) ** 2 / prior).sum()
    got = effective_share(tensor(prior), tensor(probability))
    assert math.isclose(got, 1 / (1 + chi_square), rel_tol=1e-9)
    assert 0 < got <= 1 + 1e-12


def test_effective_share_of_a_uniform_prior_counts_buckets():
    uniform = torch.full((8,), 1 / 8, dtype=torch.float64)
    assert math.isclose(effective_share(uniform, tensor([0.5, 0.5, 0, 0, 0, 0, 0, 0])), 2 / 8)
    assert math.isclose(effective_share(uniform, uniform), 1)
    # a bucket that P0 leaves out is left out of the sum, not divided by
    assert math.isclose(effective_share(tensor([0.5, 0.5, 0]), tensor([1, 0, 0])), 0.5)


@pytest.mark.parametrize(("alpha", "share"), [(0.0, 0.6), (0.0, 0.95), (0.4, 0.8)])
def test_largest_beta_of_two_buckets_in_closed_form(alpha, share):
    # P = 1/2 ± (1 - α)·(q - 1/2), and 1 / (2·ΣP²) = share
    offset = math.sqrt((1 / share - 1) / 4) / (1 - alpha)
    expected = math.log((0.5 + offset) / (0.5 - offset))
    got = largest_beta(tensor([0.5, 0.5]), tensor([0, 1]), alpha, share)
    assert math.isclose(got, expected, rel_tol=1e-6)


@SETTINGS
@given(difficulties, st.floats(0, 0.6), st.floats(0.2, 0.95), st.sampled_from(FORMS), st.integers(0, 100))
def test_largest_beta_keeps_the_share_and_no_larger_one_does(difficulty, alpha, share, form, seed):
    prior, values = some_prior(len(difficulty), seed), np.array(difficulty)
    beta = largest_beta(tensor(prior), tensor(difficulty), alpha, share, form)
    assert 0 <= beta <= LARGEST_BETA
    at = tilt(tensor(prior), tensor(difficulty), alpha, beta, form).numpy()
    assert share_of(prior, at) >= share * (1 - 1e-9)
    if beta < 600:  # the plain exponential overflows above
        above = equation_7(prior, values, alpha, beta * 1.001 + 1e-6, form)
        assert share_of(prior, above) < share


def test_largest_beta_stops_at_its_limit_if_nothing_is_lost():
    prior = tensor([0.25, 0.25, 0.5])
    assert largest_beta(prior, tensor([0.3, 0.3, 0.3]), 0.0, 0.9) == LARGEST_BETA
    # α = 0.9 alone keeps the share above 0.5 whatever β is
    assert largest_beta(prior, tensor([0, 0, 1]), 0.9, 0.5) == LARGEST_BETA


def test_update_rule_uses_its_settings():
    prior, difficulty = tensor([0.5, 0.25, 0.25]), tensor([0.1, 0.5, 0.9])
    probability, beta = UpdateRule(alpha=0.2, beta=3.0, form="printed")(prior, difficulty)
    assert beta == 3.0
    expected = equation_7(prior.numpy(), difficulty.numpy(), 0.2, 3.0, "printed")
    np.testing.assert_allclose(probability.numpy(), expected)
    probability, beta = UpdateRule(share=0.7)(prior, difficulty)
    np.testing.assert_allclose(share_of(prior.numpy(), probability.numpy()), 0.7, rtol=1e-6)
    np.testing.assert_allclose(probability.numpy(), equation_7(prior.numpy(), difficulty.numpy(), 0, beta, "mixture"))
    probability, _ = UpdateRule(alpha=1.0)(prior, difficulty)
    np.testing.assert_allclose(probability.numpy(), prior.numpy())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": 1.1}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"beta": -1.0}, "beta"),
        ({"beta": math.inf}, "beta"),
        ({"beta": math.nan}, "beta"),
        ({"share": 0.0}, "share"),
        ({"share": 1.01}, "share"),
    ],
)
def test_update_rule_refuses(settings, message):
    with pytest.raises(ConfigError, match=message):
        UpdateRule(**settings)


def stream(seed=0):
    return np.random.default_rng(seed)


def test_draws_follow_the_current_probability():
    distribution = BucketDistribution(tensor([1, 1, 1, 1, 0]))
    np.testing.assert_allclose(distribution.prior.numpy(), [0.25, 0.25, 0.25, 0.25, 0])
    expected = np.array([0.5, 0.3, 0.15, 0.05])
    distribution.probability = tensor([*expected, 0])
    bucket = distribution.draw(20_000, stream())
    assert bucket.dtype == torch.int64
    count = np.bincount(bucket.numpy(), minlength=5)
    assert count[4] == 0
    assert stats.chisquare(count[:4], expected * 20_000).pvalue > 0.001


def test_draws_are_a_pure_function_of_the_stream():
    distribution = BucketDistribution(torch.ones(50))
    first = distribution.draw(100, stream(1))
    np.random.seed(5)  # noqa: NPY002 the global state must not matter
    torch.manual_seed(5)
    assert torch.equal(first, distribution.draw(100, stream(1)))
    assert not torch.equal(first, distribution.draw(100, stream(2)))


@pytest.mark.parametrize("count", [0, 1, 7])
def test_draws_come_in_any_number(count):
    for buckets in (1, 2, 10):
        bucket = BucketDistribution(torch.ones(buckets)).draw(count, stream())
        assert bucket.shape == (count,)
        assert bool((bucket < buckets).all())


def test_share_and_ratio_of_the_current_probability():
    distribution = BucketDistribution(tensor([2, 1, 1, 0]))
    assert math.isclose(distribution.effective_share, 1)
    assert math.isclose(distribution.largest_ratio, 1)
    distribution.probability = tensor([0.25, 0.75, 0, 0])
    # Σ P²/P0 = 0.0625/0.5 + 0.5625/0.25 = 2.375
    assert math.isclose(distribution.effective_share, 1 / 2.375)
    assert math.isclose(distribution.largest_ratio, 3)


@pytest.mark.parametrize("prior", [[0.5, -0.1], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_prior_must_be_a_distribution(prior):
    with pytest.raises(ConfigError, match="P0"):
        BucketDistribution(tensor(prior))


def test_state_is_a_copy_and_comes_back():
    distribution = BucketDistribution(torch.ones(3))
    distribution.probability = tensor([0.2, 0.3, 0.5])
    state = distribution.state_dict()
    distribution.probability[0] = 9
    other = BucketDistribution(torch.ones(3))
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.probability.numpy(), [0.2, 0.3, 0.5])
    np.testing.assert_allclose(other.prior.numpy(), np.full(3, 1 / 3))


def test_state_of_another_space_is_refused():
    state = BucketDistribution(torch.ones(3)).state_dict()
    with pytest.raises(ConfigError, match=r"3 buckets.* 4"):
        BucketDistribution(torch.ones(4)).load_state_dict(state)


def test_tilt_names_its_default_reading():
    # studies leave `form` out and rely on it
    assert inspect.signature(tilt).parameters["form"].default == "mixture"
    assert UpdateRule().form == "mixture"


def test_a_very_concentrated_p_is_drawn_right():
    law = BucketDistribution(torch.ones(10**5))
    law.probability = torch.full((10**5,), 1e-9, dtype=torch.float64)
    law.probability[:10] = (1 - law.probability[10:].sum()) / 10
    drawn = law.draw(10**6, np.random.default_rng(0))
    heads = torch.bincount(drawn[drawn < 10], minlength=10)
    # Each head expects 99,990 with a deviation of 300; the tail 100 with one of 10.
    assert ((heads - 99_990).abs() < 1500).all()
    assert 50 < int((drawn >= 10).sum()) < 150
