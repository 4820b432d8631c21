"""What the runs of a study say in numbers: means, deviations and comparisons."""

from typing import Any

import numpy as np
import pandas as pd

from synthreal.studies.spec import Study
from synthreal.studies.statistics import Comparison, compare, holm


def summarise(study: Study, results: pd.DataFrame) -> pd.DataFrame:
    """Returns a row for each step and variant: runs, mean, deviation, further scores, comparison with its baseline.

    Variants that are compared with one baseline stand together. `p_holm` is adjusted for all comparisons of the study.
    Mean and deviation are NaN if one of the runs has no finite value.
    """
    order = [variant for group in study.groups(study.compared).values() for variant in group]
    rows: list[dict[str, Any]] = []
    comparisons: list[Comparison | None] = []
    for step in study.steps:
        parts = {str(name): part for name, part in results[results["step"] == step].groupby("variant")}
        for variant in (name for name in order if name in parts):
            rows.append(_row(study, step, variant, parts[variant]))
            baseline = study.baseline_of(variant)
            compared = baseline in parts and baseline != variant
            comparisons.append(compare(_values(parts[variant]), _values(parts[baseline])) if compared else None)
    adjusted = holm(np.array([np.nan if c is None else c.p for c in comparisons]))
    for row, comparison, p_holm in zip(rows, comparisons, adjusted.tolist(), strict=True):
        if comparison is not None:
            row |= {"difference": comparison.difference, "low": comparison.low, "high": comparison.high}
            row |= {"p_paired": comparison.p_paired, "p_welch": comparison.p_welch, "pairs": comparison.pairs}
            row |= {"p": comparison.p, "p_holm": p_holm}
            row["verdict"] = comparison.verdict(row["variant"], study.baseline_of(row["variant"]), p_holm)
    return pd.DataFrame(rows)


def _row(study: Study, step: int, variant: str, runs: pd.DataFrame) -> dict[str, Any]:
    paper = study.paper.get(variant, [None] * len(study.steps))[study.steps.index(step)]
    row = {"step": step, "variant": variant, **study.levels(variant), "runs": len(runs)}
    mean, deviation = _mean_std(runs["value"])
    row |= {"mean": mean, "std": deviation, "paper": paper}
    for name in study.scores:
        row[f"{name} mean"], row[f"{name} std"] = _mean_std(runs[name])
    return row


def _mean_std(values: pd.Series) -> tuple[float, float]:
    finite = values.where(np.isfinite(values))
    return finite.mean(skipna=False), finite.std(skipna=False)


def _values(runs: pd.DataFrame) -> dict[int, float]:
    return dict(zip(runs["seed"], runs["value"], strict=True))
