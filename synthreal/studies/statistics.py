"""Two-sided comparisons of variants over their runs."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

_LEVEL = 0.95
_ROUNDING = 1e-6  # of scores that torch computes in single precision
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Comparison:
    """A variant against the baseline; differences are variant minus baseline.

    Args:
        difference: Mean difference.
        low: Lower end of its 95 % interval: paired over shared seeds if there are two or more, else Welch's.
        high: Upper end.
        p_paired: p of the paired t-test over shared seeds; NaN with fewer than two.
        p_welch: p of Welch's t-test.
        pairs: Number of shared seeds.
        lost: Runs of both that have no finite value; if there are any, all numbers above but `pairs` are NaN.
        runs: Runs of both.
    """

    difference: float
    low: float
    high: float
    p_paired: float
    p_welch: float
    pairs: int
    lost: int
    runs: int

    @property
    def p(self) -> float:
        """The p-value that goes with the interval."""
        return self.p_paired if self.pairs > 1 else self.p_welch

    def verdict(self, variant: str, baseline: str, p_holm: float) -> str:
        """Says in words what the tests allow to say.

        Args:
            variant: Name of the variant.
            baseline: Name of the baseline.
            p_holm: `p`, adjusted for all comparisons that were made beside this one.
        """
        if self.lost:
            return f"{variant} against {baseline}: {self.lost} of {self.runs} runs have no finite value."
        if not np.isfinite(self.p):
            return f"{variant} against {baseline}: too few runs to tell."
        if self.p >= SIGNIFICANT:
            return f"{variant} against {baseline}: no significant difference (p = {self.p:.2g})."
        word = "lower" if self.difference < 0 else "higher"
        if p_holm >= SIGNIFICANT:
            return (
                f"{variant} is {word} than {baseline} (p = {self.p:.2g}), but not significantly among so many "
                f"comparisons (Holm's p = {p_holm:.2g})."
            )
        return f"{variant} is significantly {word} than {baseline} (p = {self.p:.2g}, Holm's p = {p_holm:.2g})."


def by_seed(runs: pd.DataFrame, rows: str) -> pd.DataFrame:
    """Returns the values of runs, a row for each entry of the column `rows` and a column for each seed.

    NaN where there is no run, infinite where its value is not finite.
    """
    values = runs["value"].where(np.isfinite(runs["value"]), np.inf)
    return runs.assign(value=values).pivot(index=rows, columns="seed", values="value").sort_index()


def mean_interval(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Returns the 95 % t-interval of a mean; NaN with fewer than two values."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = float(stats.sem(values) * stats.t.ppf((1 + _LEVEL) / 2, len(values) - 1))
    return float(values.mean()) - half, float(values.mean()) + half


def compare(variant: dict[int, float], baseline: dict[int, float]) -> Comparison:
    """Compares two variants, each seed → value, paired where seeds are shared.

    Runs that differ by the very same number, as happens when few runs are scored on few images, do not tell how much
    they vary: p and interval are NaN, as with a single run. Runs that do not differ at all give p = 1. Nothing is
    compared if a run has no finite value: a mean of those that have would hide it.
    """
    a, b = np.array(list(variant.values())), np.array(list(baseline.values()))
    shared = sorted(variant.keys() & baseline.keys())
    lost, runs = int((~np.isfinite([*a, *b])).sum()), len(a) + len(b)
    if lost:
        return Comparison(math.nan, math.nan, math.nan, math.nan, math.nan, len(shared), lost, runs)
    delta = np.array([variant[seed] - baseline[seed] for seed in shared])
    scale = max(np.abs(a).max(), np.abs(b).max())
    error, freedom = float(np.hypot(_error(a, scale), _error(b, scale))), _welch_freedom(a, b)
    p_welch = _p(a.mean() - b.mean(), error, freedom)
    if len(shared) < 2:
        difference = float(a.mean() - b.mean())
        half = float(error * stats.t.ppf((1 + _LEVEL) / 2, freedom)) if math.isfinite(p_welch) else math.nan
        return Comparison(difference, difference - half, difference + half, math.nan, p_welch, len(shared), lost, runs)
    p_paired = _p(delta.mean(), _error(delta, scale), len(delta) - 1)
    low, high = mean_interval(delta) if math.isfinite(p_paired) else (math.nan, math.nan)
    return Comparison(float(delta.mean()), low, high, p_paired, p_welch, len(shared), lost, runs)


def holm(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Returns p-values adjusted for their number (Holm, 1979), which are read like single ones.

    The smallest is multiplied by their number, the next by one less, and so on; none falls below the one before it.
    NaN stays NaN and does not count.
    """
    order = np.argsort(p)  # NaN comes last
    count = int(np.isfinite(p).sum())
    adjusted = np.full_like(p, np.nan)
    steps = p[order[:count]] * np.arange(count, 0, -1)
    adjusted[order[:count]] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _error(values: Float[np.ndarray, " n"], scale: float) -> float:
    """Standard error of the mean; 0 if the values only differ by how numbers of that scale are rounded."""
    error = float(stats.sem(values)) if len(values) > 1 else math.nan
    return 0.0 if error <= _ROUNDING * scale else error


def _welch_freedom(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    if len(a) < 2 or len(b) < 2:
        return float("nan")
    x, y = _error(a, 0) ** 2, _error(b, 0) ** 2
    return (x + y) ** 2 / (x**2 / (len(a) - 1) + y**2 / (len(b) - 1)) if x + y else float(len(a) + len(b) - 2)


def _p(difference: float, error: float, freedom: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else math.nan
    return float(2 * stats.t.sf(abs(difference) / error, freedom))
