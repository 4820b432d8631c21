"""From probes to the difficulty of every bucket (SampleAhead, Eq. 1, 2 and 5)."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.errors import ConfigError, TrainingError

_NOT_FINITE = (
    "The difficulty of a probe is not finite: the model's outputs are NaN or infinite. Lower the learning rate."
)


def probe_difficulty(
    logits: Float[Tensor, "n c"], label: Int[Tensor, " n"], kind: Literal["hard", "soft"] = "hard"
) -> Float[Tensor, " n"]:
    """Returns the difficulty of each probe, in [0, 1] (Eq. 2).

    `hard`: 1 if the top class is wrong, else 0. `soft`: 1 - softmax probability of the true class. NaN if a logit is.

    Raises:
        ConfigError: If `kind` is neither.
    """
    if kind == "hard":
        return (logits.argmax(1) != label).float().masked_fill(logits.isnan().any(1), float("nan"))
    if kind == "soft":
        return 1 - logits.float().softmax(1).gather(1, label[:, None])[:, 0]
    raise ConfigError(f"difficulty is 'hard' or 'soft', not {kind!r}.")


def bucket_means(total: Float[Tensor, " k"], count: Int[Tensor, " k"], rows: int) -> Float[Tensor, " k"]:
    """Returns the mean difficulty of each bucket (Eq. 5, reading the union there as an intersection).

    A bucket without probes takes the mean over the probes of its row (its class), or over all of them.

    Args:
        total: Sum of difficulty in each bucket.
        count: Number of probes in each bucket.
        rows: Number of rows (classes) that the buckets form; K must be a multiple.

    Raises:
        ConfigError: If there are no probes at all.
        TrainingError: If a sum is not finite.
    """
    total = total.double()
    if int(count.sum()) == 0:
        raise ConfigError("The probe set is empty: no bucket has a probe. Raise num_probes.")
    if not bool(total.isfinite().all()):
        raise TrainingError(_NOT_FINITE)
    overall = total.sum() / count.sum()
    row_total, row_count = total.view(rows, -1).sum(1), count.view(rows, -1).sum(1)
    row_mean = torch.where(row_count > 0, row_total / row_count.clamp(min=1), overall)
    return torch.where(count > 0, total / count.clamp(min=1), row_mean.repeat_interleave(len(total) // rows))


def kernel_difficulty(
    where: Float[Tensor, "k e"],
    probes: Float[Tensor, "m e"],
    difficulty: Float[Tensor, " m"],
    floor: float = 1e-3,
) -> Float[Tensor, " k"]:
    """Returns difficulty at given points by kernel estimation from probes (Eq. 1), ω = 1 / L2 distance.

    Args:
        where: Coordinates to estimate at, from `ParameterSpace.embed`.
        probes: Coordinates of the probes.
        difficulty: Difficulty of each probe.
        floor: Smallest distance, so that a probe at the point itself has a finite weight.

    Raises:
        TrainingError: If a difficulty is not finite.
    """
    if not bool(difficulty.isfinite().all()):
        raise TrainingError(_NOT_FINITE)
    out = torch.empty(len(where), dtype=torch.float64)
    chunk = max(1, 2**24 // max(1, len(probes)))
    for start in range(0, len(where), chunk):  # bounds the K × M distance matrix, not a loop over samples
        weight = 1 / torch.cdist(where[start : start + chunk].double(), probes.double()).clamp(min=floor)
        out[start : start + chunk] = (weight @ difficulty.double()) / weight.sum(1)
    return out
