"""Forward and backward pass of the triplet loss against torch's and pytorch-metric-learning's. One thread.

All get the same triplets of the same descriptors. The peers' loss is max(0, D_ij - D_ik + margin), with squared
distances in pytorch-metric-learning as in ours; torch's function takes their roots.
"""

from collections.abc import Callable
from importlib import import_module

import torch
from measure import Row, run, speed_row
from torch import Tensor
from torch.nn import functional as F
from turns import cpu_turns

from synthreal.losses import triplet_loss

SETS, MEMBERS, WIDTH = 256, 5, 512
MARGIN = 1.0
REPEATS = 31
PACKAGE = "pytorch-metric-learning"

Loss = Callable[[], Tensor]


def random_sets() -> Tensor:
    """Returns descriptors about 1 apart, so that triplets cost with every loss."""
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(SETS, MEMBERS, WIDTH, generator=generator) / (2 * WIDTH) ** 0.5).requires_grad_()


def triplets() -> tuple[Tensor, Tensor, Tensor]:
    """Returns the rows of reference, positive and negative of each triplet, if sets lie one after another."""
    rows = torch.arange(SETS * MEMBERS).reshape(SETS, MEMBERS)
    reference, positive, negative = torch.broadcast_tensors(rows[:, :1], rows[:, 1:2], rows[:, 2:])
    return reference.flatten(), positive.flatten(), negative.flatten()


def torchs(sets: Tensor) -> Loss:
    """Returns torch's loss of the triplets, which it sees through strides: to gather them first takes longer."""

    def loss() -> Tensor:
        """The mean over triplets."""
        reference, positive, negative = torch.broadcast_tensors(*sets.split((1, 1, MEMBERS - 2), 1))
        return F.triplet_margin_loss(reference, positive, negative, MARGIN)

    return loss


def metric_learnings(sets: Tensor) -> Loss | None:
    """Returns the package's loss, or None if it is not installed."""
    try:
        parts = ("distances", "losses", "reducers")
        distances, losses, reducers = (import_module(f"pytorch_metric_learning.{part}") for part in parts)
    except ImportError as error:
        print(f"{PACKAGE} is left out: {error}. To compare with it: pip install --no-deps {PACKAGE}")
        return None
    distance, reducer = distances.LpDistance(normalize_embeddings=False, power=2), reducers.MeanReducer()
    criterion, rows = losses.TripletMarginLoss(MARGIN, distance=distance, reducer=reducer), triplets()

    def loss() -> Tensor:
        """The mean over triplets."""
        value: Tensor = criterion(sets.flatten(0, 1), indices_tuple=rows)
        return value

    return loss


def check(loss: Loss, sets: Tensor) -> None:
    """Stops unless a peer's loss is that of the same triplets and distances."""
    reference, positive, negative = (sets.flatten(0, 1)[rows].double() for rows in triplets())
    pair, other = ((reference - x).square().sum(1) for x in (positive, negative))
    expected = (pair - other + MARGIN).clamp(min=0).mean()
    if not torch.isclose(loss().double(), expected, rtol=1e-3):
        raise SystemExit(f"{PACKAGE} has a loss of {loss():.5g} in place of {expected:.5g}: no comparison.")


def with_backward(loss: Loss, sets: Tensor) -> Callable[[], None]:
    """Returns both passes, down to the gradient of the descriptors."""

    def work() -> None:
        """One step's worth."""
        sets.grad = None
        loss().backward()

    return work


def compare() -> list[Row]:
    """Returns a row for each peer."""
    sets = random_sets()
    losses: dict[str, Loss] = {"ours": lambda: triplet_loss(sets, MARGIN), "torch": torchs(sets)}
    package = metric_learnings(sets)
    if package is not None:
        check(package, sets)
        losses[PACKAGE] = package
    seconds = cpu_turns({name: with_backward(loss, sets) for name, loss in losses.items()}, REPEATS)
    ours = seconds.pop("ours")
    case = f"{SETS} × {MEMBERS} × {WIDTH}"
    return [
        speed_row("triplet_loss", f"{case}, {name}", "sets/s", SETS, ours, peer, name, ">= 1")
        for name, peer in seconds.items()
    ]


if __name__ == "__main__":
    run(compare)
