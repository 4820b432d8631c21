"""Curves of a study: the metric over training steps, over the levels of a factor, and what the latter are worth."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from synthreal.studies.exchange import Exchange, exchange
from synthreal.studies.spec import Study
from synthreal.studies.statistics import by_seed

Curves = dict[str, dict[str, tuple[list[float], Float[np.ndarray, "s r"]]]]
"""Panel → line → (x of S points, values of R runs at each, NaN where they are not finite)."""


def step_curves(study: Study, results: pd.DataFrame) -> Curves:
    """Returns the metric over steps: a panel for each group with one baseline, a line for each level compared in it."""
    panels: Curves = {}
    for panel, variants in study.groups(study.compared).items():
        for variant in variants:
            grid = by_seed(results[results["variant"] == variant], "step").dropna(axis=1)
            if grid.size:
                line = study.levels(variant)[study.compared]
                panels.setdefault(panel, {})[line] = grid.index.to_list(), _with_gaps(grid)
    return panels


def learning_curves(study: Study, results: pd.DataFrame) -> Curves:
    """Returns the metric at the last step over the levels of the curve's factor, for runs that have all points.

    Lines are the levels of the first factor, and panels those of the others; if the first factor is the curve's own,
    lines are the others. Empty if the study has no learning curve.
    """
    panels: Curves = {}
    for (panel, line), grid in _learning(study, results).items():
        if (whole := grid.dropna(axis=1)).size:
            panels.setdefault(panel, {})[line] = whole.index.to_list(), _with_gaps(whole)
    return panels


def exchanges(study: Study, results: pd.DataFrame) -> dict[str, Exchange]:
    """Returns what synthetic images are worth, for each panel of the learning curves.

    All real images are those of the largest level. Seeds count that have run at every point; a panel without any is
    left out, so is one with a value that is not finite, and so is everything if the study does not ask for it.
    """
    found: dict[str, Exchange] = {}
    if (settings := study.exchange) is None:
        return found
    grids = _learning(study, results)
    largest = max(map(float, study.factors[study.curve or ""]))
    for (panel, line), grid in grids.items():
        alone = grids.get((panel, settings.alone), pd.DataFrame())
        if line != settings.mixed or largest not in alone.index:
            continue
        of_all_real = alone.loc[largest].dropna()
        seeds = grid.dropna(axis=1).columns.intersection(of_all_real.index)
        mixed, target = grid[seeds].to_numpy(float), of_all_real[seeds].to_numpy(float)
        if len(seeds) and np.isfinite([*mixed, target]).all():
            found[panel] = exchange(
                grid.index.to_numpy(float) * settings.real_per_unit,
                mixed,
                target,
                settings.synthetic,
                largest * settings.real_per_unit,
                study.larger_is_better,
            )
    return found


def _learning(study: Study, results: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Panel and line → values, a row for each level of the curve's factor and a column for each seed; see `by_seed`."""
    if (curve := study.curve) is None:
        return {}
    grids = {}
    last = results[results["step"] == study.steps[-1]]
    panels = study.groups(study.compared, curve)
    for others, variants in study.groups(curve).items():
        panel = next(name for name, members in panels.items() if variants[0] in members)
        place = ("", others) if curve == study.compared else (panel, study.levels(variants[0])[study.compared])
        number = {name: float(study.levels(name)[curve]) for name in variants}
        part = last[last["variant"].isin(variants)]
        grids[place] = by_seed(part.assign(number=part["variant"].map(number)), "number")
    return grids


def _with_gaps(grid: pd.DataFrame) -> Float[np.ndarray, "s r"]:
    return grid.replace(np.inf, np.nan).to_numpy(float)
