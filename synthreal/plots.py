"""Matplotlib figures. Each function takes arrays and returns a figure; nothing is shown or saved here."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats
from torch import Tensor
from torchvision.utils import make_grid

from synthreal.rendering.palette import class_colours

Curve = tuple[Sequence[float], Float[np.ndarray, "s r"]]
"""X of S points, and the values of R runs at each."""

_MAPS = 5
_COLUMNS = 3
_WIDE = 8  # largest over smallest count
_HALF_TURN = 180  # degrees
_FEW = 40  # points that are marked


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
    figure = Figure(figsize=size, layout="compressed")
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


def image_rows(panels: Mapping[str, Mapping[str, Float[Tensor, "n c h w"]]]) -> Figure:
    """Rows of images under each other, a column an image, one panel a name: panel → row → images [N, C, H, W]."""
    rows = sum(len(panel) for panel in panels.values())
    columns = max(len(images) for panel in panels.values() for images in panel.values())
    figure = Figure(figsize=(0.5 * columns + 1, 0.5 * rows + 0.5 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, (name, panel) in zip(axes, panels.items(), strict=True):
        images = torch.cat([row.float().cpu() for row in panel.values()])
        axis.imshow(make_grid(images, nrow=columns, padding=1, pad_value=0.5).permute(1, 2, 0).clamp(0, 1).numpy())
        axis.set_title(name, fontsize=9)
        axis.set_yticks([(images.shape[-2] + 1) * (i + 0.5) for i in range(len(panel))], list(panel), fontsize=7)
        axis.set_xticks([])
        axis.spines[:].set_visible(False)
    return figure


def descriptor_maps(
    maps: Mapping[str, Float[np.ndarray, "n 2"]],
    label: Int[np.ndarray, " n"],
    classes: Sequence[str],
    angle: tuple[str, Float[np.ndarray, " n"]] | None = None,
) -> Figure:
    """Places of images in planes, a column a plane: coloured by class above, by an angle below.

    Args:
        maps: Title of a plane → places.
        label: Class of each image.
        classes: Name of each class.
        angle: Its name and its values in degrees; None for no second row.
    """
    rows = 1 if angle is None else 2
    figure = Figure(figsize=(4 * len(maps) + 2, 3.8 * rows), layout="constrained")
    grid = figure.subplots(rows, len(maps), squeeze=False)
    colours = class_colours(len(classes)).numpy()
    style = {"s": 14, "linewidths": 0.3, "edgecolors": "0.3"}  # edges: pale colours would be lost on white
    for column, (title, places) in enumerate(maps.items()):
        grid[0, column].scatter(*places.T, c=colours[label], **style)
        grid[0, column].set_title(title, fontsize=9)
    dots = [Line2D([], [], linestyle="", marker="o", color=tuple(colour), markeredgecolor="0.3") for colour in colours]
    figure.legend(dots, classes, loc="outside right upper", fontsize=8)
    if angle is not None:
        name, values = angle
        around = "twilight" if np.ptp(values) > _HALF_TURN else "viridis"
        for axis, places in zip(grid[1], maps.values(), strict=True):
            dots_of_angle = axis.scatter(*places.T, c=values, cmap=around, **style)
        figure.colorbar(dots_of_angle, ax=list(grid[1]), label=f"{name} [°]", fraction=0.03)
    for axis in grid.flat:
        axis.set(xticks=[], yticks=[])
    return figure


def noise_curves(
    noise: Mapping[str, Float[np.ndarray, "_ 2"]], losses: Mapping[str, Float[np.ndarray, "_ 2"]]
) -> Figure:
    """Ratios of adaptive noise on the left, if there are any, and losses on the right, on a logarithmic axis.

    Args:
        noise: Line → (step, value) of each point.
        losses: Line → (step, value) of each point; values of 0 and below are gaps.
    """
    panels = [("ratio", noise), ("loss", losses)] if noise else [("loss", losses)]
    figure = Figure(figsize=(5.5 * len(panels), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (ylabel, lines) in zip(axes, panels, strict=True):
        for name, points in lines.items():
            axis.plot(*points.T, label=name, marker="." if len(points) < _FEW else "", linewidth=1)
        axis.set(xlabel="step", ylabel=ylabel)
        axis.legend(fontsize=8)
    if any((points[:, 1] > 0).any() for points in losses.values()):
        axes[-1].set_yscale("log", nonpositive="mask")
    return figure


def metric_curves(panels: Mapping[str, Mapping[str, Curve]], xlabel: str, ylabel: str) -> Figure:
    """Means over runs with their 95 % intervals, small multiples: panel → line → (x [S], values [S, R runs])."""
    runs: dict[str, set[int]] = {}
    for curves in panels.values():
        for line, (_, values) in curves.items():
            runs.setdefault(line, set()).add(values.shape[1])
    palette = colormaps["tab10" if len(runs) <= 10 else "tab20"]
    colours = {line: palette(i % palette.N) for i, line in enumerate(runs)}
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.1 * columns + 2.9, 2.7 * rows + 0.9), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, (panel, curves) in zip(grid.flat, panels.items(), strict=False):
        for line, (x, values) in curves.items():
            _draw_curve(axis, x, values, colours[line])
        axis.set_title(panel, fontsize=9)
    for axis in grid.flat[len(panels) :]:
        axis.remove()
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    entries = {f"{line} ({_between(count)} runs)": Line2D([], [], color=colours[line]) for line, count in runs.items()}
    figure.legend(entries.values(), entries.keys(), loc="outside right upper", fontsize=8)
    return figure


def learning_curves(
    panels: Mapping[str, Mapping[str, Curve]], xlabel: str, ylabel: str, marks: Mapping[str, tuple[float, float]]
) -> Figure:
    """Means over runs against a number of images, on a logarithmic axis if the numbers are wide apart.

    Args:
        panels: Panel → line → (x [S], values [S, R runs]).
        xlabel: What x counts.
        ylabel: What the values are.
        marks: Panel → a point that curves are to reach: dotted lines at its x, unless that is infinite, and at its y.
    """
    figure = metric_curves(panels, xlabel, ylabel)
    counts = sorted({float(x) for curves in panels.values() for xs, _ in curves.values() for x in xs})
    least = next((count for count in counts if count > 0), 1.0)
    for axis, panel in zip(figure.axes, panels, strict=True):
        if counts[-1] > _WIDE * least:
            axis.set_xscale("symlog", linthresh=least)  # zero images have a place too
        axis.set_xticks(counts, [f"{count:,g}" for count in counts], fontsize=8)
        axis.minorticks_off()
        if panel in marks:
            x, y = marks[panel]
            axis.axhline(y, color="0.4", linestyle=":", linewidth=1)
            if np.isfinite(x):
                axis.axvline(x, color="0.4", linestyle=":", linewidth=1)
    return figure


def _draw_curve(axis: Axes, x: Sequence[float], values: Float[np.ndarray, "s r"], colour: tuple[float, ...]) -> None:
    mean, runs = values.mean(1), values.shape[1]
    axis.plot(x, mean, marker="o", markersize=4, color=colour)
    if runs > 1:
        half = stats.sem(values, axis=1) * stats.t.ppf(0.975, runs - 1)
        if len(x) == 1:  # nothing to fill between
            axis.errorbar(x, mean, half, color=colour, capsize=3)
        axis.fill_between(x, mean - half, mean + half, alpha=0.2, color=colour, linewidth=0)


def _between(counts: set[int]) -> str:
    return str(min(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
