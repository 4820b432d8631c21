"""Reads what a study's runs made of each test image, from the `predictions.csv` of the callback `Predictions`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from synthreal.studies.cell import cell_folder
from synthreal.studies.spec import Study


@dataclass(frozen=True)
class Outcomes:
    """What the runs of a variant made of a test set.

    Args:
        seeds: Seed of each of S runs.
        index: Number of each of N images in the set.
        label: Its class.
        prediction: The class that each run takes it for.
    """

    seeds: list[int]
    index: Int[np.ndarray, " n"]
    label: Int[np.ndarray, " n"]
    prediction: Int[np.ndarray, "s n"]

    @property
    def right(self) -> Bool[np.ndarray, "s n"]:
        """Which images each run gets right."""
        return self.prediction == self.label

    def same_images(self, other: "Outcomes") -> bool:
        """Says whether these are of the same images as others, as far as their numbers and classes tell."""
        return np.array_equal(self.index, other.index) and np.array_equal(self.label, other.label)

    def only(self, seeds: Sequence[int]) -> "Outcomes":
        """Returns the runs with these seeds, in this order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return replace(self, seeds=list(seeds), prediction=self.prediction[rows])


@dataclass(frozen=True)
class Pair:
    """A variant and its baseline on the same images of a test set, by runs with the same seeds.

    Args:
        variant: Name of the variant.
        baseline: Name of its baseline.
        test_set: Name of the test set.
        after: What the variant made of it.
        before: What the baseline made of it.
    """

    variant: str
    baseline: str
    test_set: str
    after: Outcomes
    before: Outcomes


def read_outcomes(study: Study, runs: Path, results: pd.DataFrame) -> dict[str, dict[str, Outcomes]]:
    """Returns variant → test set → what its finished runs made of it at the last step, as far as they kept it.

    A test set is left out where the runs of a variant were tested on different images.
    """
    last = results[results["step"] == study.steps[-1]]
    outcomes = {}
    for variant in study.variants:
        tables = {}
        for seed in sorted(last[last["variant"] == variant]["seed"]):
            path = cell_folder(runs, variant, seed, study.steps[-1]) / "predictions.csv"
            if path.is_file():
                tables[seed] = _read(path)
        names = dict.fromkeys(name for sets in tables.values() for name in sets)
        stacked = {name: _stack({seed: sets[name] for seed, sets in tables.items() if name in sets}) for name in names}
        if kept := {name: part for name, part in stacked.items() if part is not None}:
            outcomes[variant] = kept
    return outcomes


def _read(path: Path) -> dict[str, pd.DataFrame]:
    columns = {"set": str, "index": np.int64, "label": np.int64, "prediction": np.int64}
    # A test set may be called "None", which pandas would take for nothing.
    table = pd.read_csv(path, usecols=list(columns), dtype=columns, keep_default_na=False)
    return {str(name): part for name, part in table.groupby("set", sort=False)}


def _stack(tables: Mapping[int, pd.DataFrame]) -> Outcomes | None:
    parts = [
        Outcomes([seed], t["index"].to_numpy(), t["label"].to_numpy(), t["prediction"].to_numpy()[None])
        for seed, t in tables.items()
    ]
    if not all(part.same_images(parts[0]) for part in parts):
        return None
    return Outcomes(list(tables), parts[0].index, parts[0].label, np.concatenate([part.prediction for part in parts]))


def pair_up(study: Study, outcomes: Mapping[str, Mapping[str, Outcomes]]) -> list[Pair]:
    """Returns each variant with its baseline on each test set, if both have runs with a common seed on the same images.

    Args:
        study: The study.
        outcomes: Variant → test set → what its runs made of it.
    """
    pairs = []
    for variant, sets in outcomes.items():
        baseline = study.baseline_of(variant)
        for name, after in sets.items() if baseline != variant else ():
            before = outcomes.get(baseline, {}).get(name)
            if before is None or not after.same_images(before):
                continue
            if seeds := [seed for seed in after.seeds if seed in before.seeds]:
                pairs.append(Pair(variant, baseline, name, after.only(seeds), before.only(seeds)))
    return pairs
