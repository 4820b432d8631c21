"""Figures of what models make of each test image: confusion matrices, images gained and lost."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay
from torch import Tensor

from synthreal.studies.agreement import confusion, mostly_turned
from synthreal.studies.predictions import Outcomes, Pair
from synthreal.studies.spec import file_name

_MOST_NUMBERS = 20  # classes, up to which a matrix has room for numbers
_MOST_NAMES = 40
_COLUMNS = 6
_MOST_PICTURES = 2 * _COLUMNS

Figures = dict[str, tuple[str, Figure]]
"""Name → title, figure."""

Pictures = tuple[Float[Tensor, "n c h w"], list[str]]
"""Images in [0, 1], and a caption for each."""


@runtime_checkable
class ShownData(Protocol):
    """A datamodule that can show what was tested, as `MixedDataModule` can."""

    @property
    def classes(self) -> Sequence[str]:
        """Name of each label."""

    def setup(self, stage: str | None = None) -> None:
        """Loads what a stage needs."""

    def test_images(self, name: str, index: Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Returns images of a test set, values in [0, 1]."""


def pair_figures(pair: Pair, data: ShownData) -> Figures:
    """Returns the confusion of a variant and its baseline, and the images that the variant gains and loses.

    Args:
        pair: The comparison.
        data: Datamodule of the baseline, set up for test.
    """
    runs = f"test set {pair.test_set!r}, mean of {len(pair.after.seeds)} runs"
    shares = {
        name: confusion(of.label, of.prediction, len(data.classes))
        for name, of in ((pair.baseline, pair.before), (pair.variant, pair.after))
    }
    title = f"{pair.variant}: what each class is taken for, % of its images ({runs})"
    figures: Figures = {f"confusion_{file_name(pair.variant)}": (title, confusion_maps(shares, data.classes))}
    title = f"{pair.variant}: images gained and lost in most runs; true class: predicted class"
    figures[f"gained_lost_{file_name(pair.variant)}"] = title, picture_rows(_turned(pair, data))
    return figures


def alone_figures(variant: str, test_set: str, outcome: Outcomes, classes: Sequence[str]) -> Figures:
    """Returns the confusion of a variant that nothing can be compared with."""
    shares = {variant: confusion(outcome.label, outcome.prediction, len(classes))}
    runs = f"test set {test_set!r}, mean of {len(outcome.seeds)} runs"
    title = f"{variant}: what each class is taken for, % of its images ({runs})"
    return {f"confusion_{file_name(variant)}": (title, confusion_maps(shares, classes))}


def _turned(pair: Pair, data: ShownData) -> dict[str, Pictures]:
    gained, lost = mostly_turned(pair.before.right, pair.after.right)
    groups = {}
    for title, rows, wrong in (
        (f"{pair.variant!r} right, {pair.baseline!r} wrong", gained, pair.before),
        (f"{pair.baseline!r} right, {pair.variant!r} wrong", lost, pair.after),
    ):
        shown = rows[:_MOST_PICTURES]
        images = data.test_images(pair.test_set, torch.from_numpy(wrong.index[shown]))
        head = f"{title}: {len(rows)} images" + (f", {len(shown)} of them" if len(shown) < len(rows) else "")
        groups[head] = images, [_caption(wrong, row, data.classes) for row in shown.tolist()]
    return groups


def _caption(wrong: Outcomes, row: int, classes: Sequence[str]) -> str:
    """True class, and what most of the runs that are wrong take the image for."""
    label, guesses = wrong.label[row], wrong.prediction[:, row]
    return f"{classes[label]}: {classes[int(np.bincount(guesses[guesses != label]).argmax())]}"


def confusion_maps(shares: Mapping[str, Float[np.ndarray, "k k"]], classes: Sequence[str]) -> Figure:
    """Confusion matrices side by side, %: name → shares, true classes in rows; of two, what changes comes third."""
    percent = {name: 100 * np.nan_to_num(table) for name, table in shares.items()}
    side = 2 + max(0.3 * len(classes), 2.5) if len(classes) <= _MOST_NUMBERS else 6
    changes = len(percent) == 2
    figure = Figure(figsize=(side * (len(percent) + changes), side + 0.5), layout="compressed")
    axes = figure.subplots(1, len(percent) + changes, squeeze=False)[0]
    for axis, (name, table) in zip(axes, percent.items(), strict=False):
        _draw_matrix(axis, name, table, classes, {"cmap": "Blues", "vmin": 0, "vmax": 100}, ".0f")
    if changes:
        before, after = percent.values()
        most = max(1.0, float(np.abs(after - before).max()))
        # Paler than the ends of the map, so that black numbers can be read.
        shades = {"cmap": "RdBu", "vmin": -1.5 * most, "vmax": 1.5 * most}
        _draw_matrix(axes[-1], "change", after - before, classes, shades, "+.0f")
    return figure


def _draw_matrix(
    axis: Axes,
    title: str,
    table: Float[np.ndarray, "k k"],
    classes: Sequence[str],
    shades: dict[str, Any],
    number: str,
) -> None:
    numbers = len(classes) <= _MOST_NUMBERS
    names = list(classes) if len(classes) <= _MOST_NAMES else None
    text: dict[str, Any] = {"fontsize": 7} | ({"color": "black"} if number.startswith("+") else {})
    display = ConfusionMatrixDisplay(table, display_labels=names)
    display.plot(
        ax=axis,
        include_values=numbers,
        xticks_rotation="vertical",
        values_format=number,
        colorbar=False,
        im_kw=shades,
        text_kw=text if numbers else None,
    )
    for cell, share in zip(display.text_.flat if numbers else (), table.flat, strict=False):
        cell.set_visible(abs(share) >= 0.5)
    axis.tick_params(labelsize=8)
    axis.set(xlabel="predicted", ylabel="true")
    axis.set_title(title, fontsize=10)
    if names is None:
        axis.set(xticks=[], yticks=[])


def picture_rows(groups: Mapping[str, Pictures]) -> Figure:
    """Images with a caption each, six in a row, one group below the other: title → pictures."""
    rows = {title: max(1, -(-len(captions) // _COLUMNS)) for title, (_, captions) in groups.items()}
    heights = [0.5 + 1.9 * count for count in rows.values()]
    figure = Figure(figsize=(1.7 * _COLUMNS, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (title, (images, captions)) in zip(parts, groups.items(), strict=True):
        part.suptitle(title, fontsize=10)
        cells = part.subplots(rows[title], _COLUMNS, squeeze=False).ravel()
        for cell in cells:
            cell.axis("off")
        for cell, image, caption in zip(cells, images, captions, strict=False):
            cell.imshow(image.expand(3, -1, -1).permute(1, 2, 0).clamp(0, 1).numpy())
            cell.set_title(fill(caption, 22), fontsize=8)
        if not captions:
            cells[0].text(0, 0.5, "none", fontsize=9)
    return figure
