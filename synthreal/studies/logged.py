"""Values that a study's runs log while they train, as curves."""

from pathlib import Path

import pandas as pd

from synthreal.studies.cell import cell_folder
from synthreal.studies.curves import Curves
from synthreal.studies.spec import Study


def logged_curves(study: Study, runs: Path, results: pd.DataFrame) -> dict[str, Curves]:
    """Returns for each value that the study asks for: a panel for each group with one baseline, a line for each level.

    A line has the steps at which all of its runs logged the value, not as NaN; it is left out if there are none.
    """
    tables = {
        (variant, seed): _table(study, runs, variant, seed)
        for variant, seed in results[["variant", "seed"]].drop_duplicates().itertuples(index=False)
    }
    found: dict[str, Curves] = {}
    for name in study.logged:
        panels: Curves = {}
        for panel, variants in study.groups(study.compared).items():
            for variant in variants:
                held = [table[name].dropna() for (of, _), table in tables.items() if of == variant and name in table]
                grid = pd.concat(held, axis=1, join="inner") if held else pd.DataFrame()
                if grid.size:
                    line = study.levels(variant)[study.compared]
                    panels.setdefault(panel, {})[line] = grid.index.to_list(), grid.to_numpy(float)
        if panels:
            found[name] = panels
    return found


def _table(study: Study, runs: Path, variant: str, seed: int) -> pd.DataFrame:
    """All that a run logged, by the number of steps that were done."""
    parts = []
    for step in study.steps:
        file = cell_folder(runs, variant, seed, step) / "metrics.csv"
        if file.is_file():
            part = pd.read_csv(file)
            # Lightning counts the steps before the one that it logs, but all of them when it scores the trained model.
            parts.append(part.set_index((part["step"] + 1).clip(upper=step)))
    return pd.concat(parts).groupby(level=0).first().sort_index() if parts else pd.DataFrame()
