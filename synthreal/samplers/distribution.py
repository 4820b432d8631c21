"""Bucket probabilities P and their update from difficulty (SampleAhead, Eq. 3 and 7)."""

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats.sampling import DiscreteAliasUrn
from torch import Tensor

from synthreal.errors import ConfigError

LARGEST_BETA = 1e4


def tilt(
    prior: Float[Tensor, " k"],
    difficulty: Float[Tensor, " k"],
    alpha: float,
    beta: float,
    form: Literal["mixture", "printed"] = "mixture",
) -> Float[Tensor, " k"]:
    """Returns P from the prior P0 and the difficulty d of each bucket (Eq. 7), float64, summing to 1.

    `mixture` (default): P = α·P0 + (1 - α)·normalise(P0·exp(β·d)), so that α is a true share and a floor.
    `printed`: P ∝ α·P0 + (1 - α)·P0·exp(β·d), the paper's line, whose two terms have different mass.

    Args:
        prior: P0, sums to 1.
        difficulty: d, any finite values; the paper's lie in [0, 1].
        alpha: Weight of the prior, 0 to 1; 1 gives P0.
        beta: Sharpness, at least 0; 0 gives P0.
        form: Which reading of Eq. 7.
    """
    prior = prior.double()
    exponent = torch.where(prior > 0, beta * difficulty.double(), -math.inf)
    shift = exponent.max()  # the largest exponential becomes 1, so that none overflows
    adaptive = prior * torch.exp(exponent - shift)
    if form == "mixture" or alpha in (0, 1):  # at the ends both forms are the same
        return alpha * prior + (1 - alpha) * adaptive / adaptive.sum()
    # Both terms divided by exp(shift), or by 1 if that is smaller: one of them stays of order 1, neither overflows.
    mixed = alpha * prior * torch.exp(-shift.clamp(min=0)) + (1 - alpha) * adaptive * torch.exp(shift.clamp(max=0))
    return mixed / mixed.sum()


def effective_share(prior: Float[Tensor, " k"], probability: Float[Tensor, " k"]) -> float:
    """Returns the effective sample size of P relative to P0, 1 / Σ P²/P0, in (0, 1].

    For a uniform P0 this is (1/ΣP²) / K; for any P0 it is 1 exactly when P = P0, and it falls as β grows.
    """
    filled = prior > 0
    return float(1 / (probability[filled] ** 2 / prior[filled]).sum())


def largest_beta(
    prior: Float[Tensor, " k"],
    difficulty: Float[Tensor, " k"],
    alpha: float,
    share: float,
    form: Literal["mixture", "printed"] = "mixture",
) -> float:
    """Returns the largest β, up to 10^4, that keeps `effective_share` at or above `share` (our addition).

    The share never rises with β (its inverse is 1 + χ² of an exponential tilt), so bisection finds it.
    """

    def keeps(beta: float) -> bool:
        """Whether the effective share stays large enough."""
        return effective_share(prior, tilt(prior, difficulty, alpha, beta, form)) >= share

    low, high = 0.0, LARGEST_BETA
    if keeps(high):
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class UpdateRule:
    """How difficulty changes P.

    Args:
        alpha: Weight of P0 in Eq. 7, 0 to 1; 1 is the uniform baseline.
        beta: Sharpness β of Eq. 7, at least 0, or "auto": the largest β that keeps `share` of the buckets effective.
            The paper gives no value. Difficulty near 0.01 needs β in the tens; near 1, β of 5 can collapse P.
        form: "mixture", or "printed" for the paper's literal line.
        share: Effective share that `beta="auto"` keeps, in (0, 1].

    Raises:
        ConfigError: If a value is out of range.
    """

    alpha: float = 0.0
    beta: float | Literal["auto"] = "auto"
    form: Literal["mixture", "printed"] = "mixture"
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"alpha is a share between 0 and 1, not {self.alpha}.")
        if self.beta != "auto" and not 0 <= self.beta < math.inf:
            raise ConfigError(f"beta is a finite number of at least 0, or 'auto', not {self.beta}.")
        if self.form not in ("mixture", "printed"):
            raise ConfigError(f"form is 'mixture' or 'printed', not {self.form!r}.")
        if not 0 < self.share <= 1:
            raise ConfigError(f"share is in (0, 1], not {self.share}.")

    def __call__(
        self, prior: Float[Tensor, " k"], difficulty: Float[Tensor, " k"]
    ) -> tuple[Float[Tensor, " k"], float]:
        """Returns P and the β that was used."""
        beta = self.beta
        if beta == "auto":
            beta = largest_beta(prior, difficulty, self.alpha, self.share, self.form)
        return tilt(prior, difficulty, self.alpha, beta, self.form), beta


class BucketDistribution:
    """The prior P0 and the current P over K buckets, with draws in O(1) by an alias table.

    Args:
        prior: P0, at least 0; normalised here.

    Raises:
        ConfigError: If the prior has negative, infinite or only zero entries.
    """

    def __init__(self, prior: Float[Tensor, " k"]) -> None:
        prior = prior.double()
        if not bool(((prior >= 0) & prior.isfinite()).all()) or not float(prior.sum()) > 0:
            raise ConfigError("P0 must be finite, at least 0 everywhere and positive somewhere.")
        self.prior = prior / prior.sum()
        self.probability = self.prior.clone()

    @property
    def effective_share(self) -> float:
        """Share of the buckets that the current P effectively uses, relative to P0."""
        return effective_share(self.prior, self.probability)

    @property
    def largest_ratio(self) -> float:
        """Largest P_k / P0_k."""
        filled = self.prior > 0
        return float((self.probability[filled] / self.prior[filled]).max())

    def draw(self, count: int, generator: np.random.Generator) -> Int[Tensor, " n"]:
        """Draws buckets from the current P, int64 [count]."""
        if count == 0:
            return torch.zeros(0, dtype=torch.int64)
        if len(self.probability) == 1:
            return torch.zeros(count, dtype=torch.int64)
        with warnings.catch_warnings():
            # Said of very concentrated P, whose draws are right all the same (tested).
            warnings.filterwarnings("ignore", ".*round-off error.*", RuntimeWarning)
            table = DiscreteAliasUrn(self.probability.numpy(), random_state=generator)
        return torch.from_numpy(table.rvs(count)).long()

    def state_dict(self) -> dict[str, Tensor]:
        """Returns P."""
        return {"probability": self.probability.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restores P.

        Raises:
            ConfigError: If the saved P has another number of buckets.
        """
        saved = state["probability"]
        if saved.shape != self.prior.shape:
            raise ConfigError(
                f"The checkpoint has {len(saved)} buckets, this generator's space {len(self.prior)}. "
                "Resume with the generator settings of the run that made it."
            )
        self.probability = saved.double().cpu()
