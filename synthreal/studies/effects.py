"""What each factor of a two-level study changes on its own (main effects of a full factorial design)."""

from typing import Any

import pandas as pd

from synthreal.studies.spec import Study
from synthreal.studies.statistics import by_seed, compare, holm


def main_effects(study: Study, results: pd.DataFrame) -> pd.DataFrame:
    """Returns the mean difference that each factor makes over all combinations of the others, paired by seed.

    A row for each step and factor: `factor`, `level` and the `reference` that it is compared with (the study's baseline
    or the first level), difference, 95 % t-interval over seeds, p and Holm's p. Seeds that lack a variant are left out;
    a run without a finite value makes all of these NaN.
    Empty unless there are at least two factors, each has two levels and no combination is skipped: only then is a
    difference of means the factor's own.
    """
    counts = [len(levels) for levels in study.factors.values()]
    if len(counts) < 2 or set(counts) != {2} or study.skip:
        return pd.DataFrame()
    rows: list[dict[str, Any]] = []
    for step in study.steps:
        table = by_seed(results[results["step"] == step], "variant").reindex(list(study.variants))
        if len(whole := table.T.dropna()):
            rows += [_row(study, step, factor, whole) for factor in study.factors]
    effects = pd.DataFrame(rows)
    return effects.assign(p_holm=holm(effects["p"].to_numpy(float))) if len(effects) else effects


def _row(study: Study, step: int, factor: str, whole: pd.DataFrame) -> dict[str, Any]:
    first, second = study.factors[factor]
    reference = study.baseline if factor == study.compared else first
    level = second if reference == first else first
    with_level, without = (_means(study, factor, name, whole) for name in (level, reference))
    found = compare(with_level, without)
    row = {"step": step, "factor": factor, "level": level, "reference": reference, "pairs": found.pairs}
    return row | {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p}


def _means(study: Study, factor: str, level: str, whole: pd.DataFrame) -> dict[int, float]:
    """Seed → mean of its runs that have this level."""
    variants = [variant for variant in study.variants if study.levels(variant)[factor] == level]
    return dict(zip(whole.index.tolist(), whole[variants].mean(axis=1).tolist(), strict=True))
