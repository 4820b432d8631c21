"""Exchange rates by hand and from the benchmark's own figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.studies.exchange import (
    ExchangeSettings,
    exchange,
    exchange_rate,
    exchange_settings,
    first_reached,
    relative_gain,
)

# Table 23 of the benchmark: top-1 of real images and 187,928 synthetic ones; 66.82 is that of all 20,400 alone.
REAL = np.array([0.0, 680.0, 3400.0, 6800.0, 20400.0])
TOP1 = np.array([16.00, 43.88, 59.65, 65.41, 75.65])
SYNTHETIC, ALL_REAL, ALONE = 187_928, 20_400.0, 66.82


def test_the_papers_own_rate():
    # It takes 6,800 real images to be "almost equal", and transposes two digits of the synthetic ones.
    assert exchange_rate(187_982, 20_400, 6_800) == pytest.approx(13.82, abs=0.005)


def test_the_rate_of_the_papers_figures_interpolated():
    found = exchange(REAL, TOP1[:, None], np.array([ALONE]), SYNTHETIC, ALL_REAL, larger_is_better=True)
    # 65.41 at 6,800 and 75.65 at 20,400: 66.82 is 1.41 / 10.24 of the way
    assert found.equal == pytest.approx(6800 + 13600 * 1.41 / 10.24)
    assert found.rate == pytest.approx(16.02, abs=0.005)
    assert not found.is_bound
    assert math.isnan(found.low)
    assert found.sentence() == (
        "8,673 real and 187,928 synthetic images reach the score of all 20,400 real images alone, 66.82: "
        "16.02 synthetic images for one real."
    )


def test_relative_gain():
    # 8.83 / 66.82; the paper prints 13.16 %, which does not follow from its figures.
    assert relative_gain(75.65, ALONE) == pytest.approx(13.2146, abs=1e-4)
    found = exchange(REAL, TOP1[:, None], np.array([ALONE]), SYNTHETIC, ALL_REAL, larger_is_better=True)
    assert found.gain == relative_gain(75.65, ALONE)
    fewer = exchange(REAL[:4], TOP1[:4, None], np.array([ALONE]), SYNTHETIC, ALL_REAL, larger_is_better=True)
    assert math.isnan(fewer.gain)


def test_no_gain_over_an_error_of_none():
    found = exchange(np.array([5.0, 10.0]), np.array([[2.0, 2.0], [0.0, 0.0]]), np.zeros(2), 40, 10.0, False)
    assert math.isnan(found.gain)
    assert (found.target, found.equal, found.rate) == (0, 10, None)


@pytest.mark.parametrize(
    ("scores", "target", "larger", "expected"),
    [
        ([1, 3, 5], 4, True, 15.0),
        ([5, 3, 1], 4, False, 5.0),
        ([1, 3, 5], 3, True, 10.0),  # a point hit exactly
        ([4, 3, 5], 3, True, 0.0),  # reached at the first point, though lost again
        ([1, 5, 1], 3, True, 5.0),  # the first of two crossings
        ([1, 2, 3], 4, True, math.inf),
        ([3, 3, 3], 3, True, 0.0),
        ([9, 9, 3], 6, False, 15.0),
    ],
)
def test_first_reached_by_hand(scores, target, larger, expected):
    got = first_reached(np.array([0.0, 10.0, 20.0]), np.array([scores], float), np.array([float(target)]), larger)
    assert got.item() == pytest.approx(expected)


numbers = st.floats(-100, 100).map(lambda x: round(x, 3))


@given(st.lists(numbers, min_size=1, max_size=8), numbers, st.booleans())
def test_first_reached_agrees_with_a_walk_along_the_curve(scores, target, larger):
    sign = 1 if larger else -1
    expected = math.inf
    for i, score in enumerate(scores):
        if sign * score >= sign * target:
            before = scores[i - 1]
            expected = 0.0 if i == 0 else 3 * (i - 1 + (target - before) / (score - before))
            break
    real = 3.0 * np.arange(len(scores))
    got = first_reached(real, np.array([scores, scores]), np.array([target, target]), larger)
    assert got.tolist() == pytest.approx([expected, expected])


def test_a_curve_that_does_not_rise_in_images_is_an_error():
    with pytest.raises(ConfigError, match="rise"):
        first_reached(np.array([5.0, 5.0]), np.zeros((1, 2)), np.zeros(1), True)


def test_bootstrap_of_two_seeds_by_hand():
    # Curves of the seeds: 0 to 10 and 0 to 20 over ten images; the target is 5 for both. Resamples: the first seed
    # twice (a quarter of them, r* = 5), both (a half, r* = 10 · 5/15), the second twice (a quarter, r* = 2.5).
    mixed = np.array([[0.0, 0.0], [10.0, 20.0]])
    found = exchange(np.array([0.0, 10.0]), mixed, np.array([5.0, 5.0]), 40, 20.0, larger_is_better=True)
    assert found.equal == pytest.approx(10 / 3)
    assert (found.low, found.high) == pytest.approx((2.5, 5.0))
    assert found.interval == pytest.approx((40 / 17.5, 40 / 15))
    assert found.rate == pytest.approx(40 / (20 - 10 / 3))
    assert found.without_rate == 0
    assert "(95 % interval 2.286 to 2.667)" in found.sentence()


def test_seeds_are_resampled_in_pairs():
    # Each seed adds the same to the curve and to the target: only an unpaired resample would move r*.
    luck = np.array([-9.0, 4.0, 0.0, 7.0, -2.0])
    mixed = np.array([[10.0], [20.0]]) + luck
    found = exchange(np.array([10.0, 20.0]), mixed, 15 + luck, 100, 40.0, larger_is_better=True)
    assert (found.low, found.high) == pytest.approx((15, 15))


def test_resamples_that_never_reach_the_target_make_the_end_infinite():
    # The first seed alone (a quarter of the resamples) never reaches 5.
    mixed = np.array([[0.0, 0.0], [4.0, 20.0]])
    found = exchange(np.array([0.0, 10.0]), mixed, np.array([5.0, 5.0]), 40, 20.0, larger_is_better=True)
    assert found.without_rate == pytest.approx(0.25, abs=0.02)
    assert found.high == math.inf
    assert found.interval[1] == math.inf
    assert "to ∞)" in found.sentence()
    again = exchange(np.array([0.0, 10.0]), mixed, np.array([5.0, 5.0]), 40, 20.0, larger_is_better=True)
    assert again == found


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=2, max_size=5), st.booleans())
def test_the_interval_holds_together(runs, larger):
    first, last, alone = np.array(runs).T
    found = exchange(np.array([0.0, 50.0]), np.stack([first, last]), alone, 10, 60.0, larger)
    assert found.low <= found.high
    assert (found.high == math.inf) == (found.without_rate > 0.025)
    assert found.interval[0] <= found.interval[1]


def test_no_rate_and_a_bound():
    flat = np.array([[1.0], [2.0]])
    never = exchange(np.array([10.0, 20.0]), flat, np.array([3.0]), 40, 20.0, larger_is_better=True)
    assert (never.rate, never.equal, never.interval[1]) == (None, math.inf, pytest.approx(math.nan, nan_ok=True))
    assert never.sentence().endswith("alone, 3: no exchange rate.")
    only_all = exchange(np.array([10.0, 20.0]), flat, np.array([2.0]), 40, 20.0, larger_is_better=True)
    assert only_all.equal == 20
    assert only_all.rate is None
    at_once = exchange(np.array([10.0, 20.0]), flat, np.array([0.5]), 40, 20.0, larger_is_better=True)
    assert at_once.is_bound
    assert at_once.rate == 4
    assert "Fewer were not tried: at most 4 synthetic images" in at_once.sentence()


def test_settings():
    given = {"alone": "1:0", "mixed": 5, "synthetic": 100, "real_per_unit": 9}
    assert exchange_settings(given) == ExchangeSettings("1:0", "5", 100, 9)
    with pytest.raises(ConfigError, match="alone, mixed, synthetic, real_per_unit"):
        exchange_settings({**given, "synthetics": 3})
    with pytest.raises(ConfigError, match="at least 1"):
        exchange_settings({**given, "synthetic": 0})
    with pytest.raises(ConfigError, match="both 'a'"):
        exchange_settings({**given, "alone": "a", "mixed": "a"})
