"""Comparisons against scipy and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthreal.studies.statistics import compare, holm, mean_interval

finite = st.floats(-100, 100, allow_nan=False)


@given(st.lists(st.tuples(finite, finite), min_size=3, max_size=12))
def test_p_values_and_interval_agree_with_scipy(pairs):
    a, b = np.array(pairs).T
    if np.std(a - b) < 1e-3 or min(np.std(a), np.std(b)) < 1e-3:
        return
    got = compare(dict(enumerate(a)), dict(enumerate(b)))
    paired = stats.ttest_rel(a, b)
    assert got.p_paired == pytest.approx(paired.pvalue, rel=1e-6)
    assert got.p_welch == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, rel=1e-6)
    interval = paired.confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)


def test_pairs_are_matched_by_seed_not_by_order():
    got = compare({1: 5.0, 2: 7.0, 3: 9.5}, {3: 9.0, 1: 4.0, 2: 6.5})
    assert got.difference == pytest.approx((1.0 + 0.5 + 0.5) / 3)
    assert got.pairs == 3


def test_without_shared_seeds_the_interval_is_welchs():
    a, b = [1.0, 2.0, 4.0], [2.0, 3.0, 3.5, 5.0]
    got = compare(dict(enumerate(a)), {10 + i: value for i, value in enumerate(b)})
    expected = stats.ttest_ind(a, b, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert math.isnan(got.p_paired)
    assert got.p == pytest.approx(expected.pvalue)
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high))


def test_verdicts():
    down = compare({i: 1.0 + 0.01 * i for i in range(5)}, {i: 2.0 - 0.01 * i for i in range(5)})
    assert "a is significantly lower than b" in down.verdict("a", "b", down.p)
    assert "a is lower than b" in down.verdict("a", "b", 0.05)
    assert "not significantly among so many comparisons (Holm's p = 0.05)" in down.verdict("a", "b", 0.05)
    same = compare({0: 1.0, 1: 2.0, 2: 3.0}, {0: 3.0, 1: 2.0, 2: 1.0})
    assert "no significant difference" in same.verdict("a", "b", 1.0)
    assert "too few" in compare({0: 1.0}, {0: 2.0}).verdict("a", "b", math.nan)


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shift", [0, 10])  # the same seeds, or none in common
def test_runs_without_a_finite_value_are_told_and_not_left_out(lost, shift):
    a, b = {0: 1.0, 1: 2.0, 2: lost}, {shift: lost, shift + 1: 2.0, shift + 2: 4.0}
    got = compare(a, b)
    numbers = (got.difference, got.low, got.high, got.p, got.p_paired, got.p_welch)
    assert all(math.isnan(number) for number in numbers)
    assert got.verdict("a", "b", math.nan) == "a against b: 2 of 6 runs have no finite value."


def test_holm_by_hand():
    # in order: 3 · 0.01, 2 · 0.03, and 1 · 0.04, which must not fall below the one before; NaN does not count
    assert holm(np.array([0.04, math.nan, 0.01, 0.03])) == pytest.approx([0.06, math.nan, 0.03, 0.06], nan_ok=True)
    assert holm(np.array([0.9, 0.6])).tolist() == [1, 1]
    assert holm(np.array([0.02])).tolist() == [0.02]
    assert holm(np.array([])).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_rejects_what_the_step_down_test_rejects(p):
    rejected = set()
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[i] * (len(p) - rank) > 0.05:
            break
        rejected.add(i)
    assert set(np.flatnonzero(holm(np.array(p)) <= 0.05)) == rejected


def test_mean_interval_by_hand():
    low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    half = 4.302652729911275 / math.sqrt(3)  # t(0.975, 2 degrees) times the standard error 1/√3
    assert (low, high) == pytest.approx((2 - half, 2 + half))
    assert math.isnan(mean_interval(np.array([1.0]))[0])


@pytest.mark.parametrize("noise", [0, 1e-6])
def test_runs_that_differ_by_one_number_do_not_tell_how_much_they_vary(noise):
    # Two runs on 400 images: 2.75 and 4.50 % against 2.50 and 4.25 %, as single precision has them.
    got = compare({0: 2.75, 1: 4.5 + noise}, {0: 2.5, 1: 4.25})
    assert got.difference == pytest.approx(0.25, abs=1e-5)
    assert all(math.isnan(value) for value in (got.p_paired, got.low, got.high))
    assert "too few" in got.verdict("a", "b", math.nan)
    assert math.isnan(compare({0: 1.0, 1: 1.0}, {2: 2.0, 3: 2.0}).p)


def test_runs_that_do_not_differ_are_no_different():
    got = compare({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert (got.p, got.low, got.high) == (1.0, 0.0, 0.0)
