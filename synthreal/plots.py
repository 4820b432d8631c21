"""Matplotlib figures. Each function takes arrays and returns a figure; nothing is shown or saved here."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor
from torchvision.utils import make_grid

_MAPS = 5


def bucket_heatmaps(
    epochs: Sequence[int],
    difficulty: Float[np.ndarray, "e k"],
    ratio: Float[np.ndarray, "e k"],
    shape: tuple[int, int],
    labels: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Figure:
    """Heat maps over buckets: difficulty above, P / P0 below, at up to five epochs from first to last.

    Args:
        epochs: Number of each epoch.
        difficulty: Difficulty of each bucket after each epoch.
        ratio: P / P0 of each bucket after each epoch.
        shape: Rows and columns of a map.
        labels: Names of rows and of columns; empty for none.
    """
    shown = np.unique(np.linspace(0, len(epochs) - 1, min(_MAPS, len(epochs))).astype(int))
    figure = Figure(figsize=(3 + 2.6 * len(shown), 7.5), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for row, (table, name, least) in enumerate(((difficulty, "difficulty", 0.01), (ratio, "P / P0", 2.0))):
        image = None
        for axis, i in zip(axes[row], shown, strict=True):
            image = axis.imshow(
                table[i].reshape(shape), aspect="auto", vmin=0, vmax=max(float(table[shown].max()), least)
            )
            axis.set_title(f"{name}, epoch {epochs[i]}", fontsize=9)
            axis.set_xticks(range(len(labels[1])), labels[1] if row else [""] * len(labels[1]), rotation=90, fontsize=6)
            axis.set_yticks([])
        axes[row][0].set_yticks(range(len(labels[0])), labels[0], fontsize=7)
        if image is not None:
            figure.colorbar(image, ax=list(axes[row]), fraction=0.02)
    return figure


def effective_share_curve(
    epochs: Sequence[int], share: Float[np.ndarray, " e"], largest: Float[np.ndarray, " e"]
) -> Figure:
    """Share of the buckets that P effectively uses, and the largest P / P0, against epochs."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, share, marker=".")
    left.set(xlabel="epoch", ylabel="effective share of buckets", ylim=(0, 1.05))
    right.plot(epochs, largest, marker=".", color="tab:orange")
    right.set(xlabel="epoch", ylabel="largest P / P0", ylim=(0, None))
    return figure


def contact_sheet(
    panels: Mapping[str, tuple[Float[Tensor, "_ c h w"], Int[Tensor, " _"]]],
    classes: Sequence[str],
    columns: int = 12,
) -> Figure:
    """Images in rows by class, up to `columns` of each, one panel a name: name → (images [N, C, H, W], labels [N])."""
    names = 0.3 + 0.11 * max(map(len, classes))
    size = ((0.5 * columns + names) * len(panels) + 0.2, 0.5 * len(classes) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    for axis, (name, (images, labels)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        rows = []
        for label in range(len(classes)):
            row = images[labels == label][:columns].cpu()
            rows += [row, images.new_ones((columns - len(row), *images.shape[1:])).cpu()]
        grid = make_grid(torch.cat(rows), nrow=columns, padding=1, pad_value=0.5).permute(1, 2, 0)
        axis.imshow(grid.clamp(0, 1).numpy())
        axis.set_title(name, fontsize=9)
        axis.set_yticks([(images.shape[-2] + 1) * (i + 0.5) for i in range(len(classes))], list(classes))
        axis.set_xticks([])
        axis.spines[:].set_visible(False)
    return figure


def metric_curves(
    curves: Mapping[str, tuple[Sequence[float], Float[np.ndarray, "s r"]]], xlabel: str, ylabel: str
) -> Figure:
    """Mean over runs with its 95 % interval, one line a name: name → (x [S], values [S, R runs])."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    for name, (x, values) in curves.items():
        mean = values.mean(1)
        (line,) = axis.plot(x, mean, marker="o", label=f"{name} ({values.shape[1]} runs)")
        if values.shape[1] > 1:
            half = stats.sem(values, axis=1) * stats.t.ppf(0.975, values.shape[1] - 1)
            axis.fill_between(x, mean - half, mean + half, alpha=0.2, color=line.get_color(), linewidth=0)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.legend()
    return figure
