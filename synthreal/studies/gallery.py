"""Pictures of a study's runs: difficulty and P over buckets, effective share, and what was generated."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from lightning.pytorch import LightningDataModule
from matplotlib.figure import Figure
from torch import Tensor

from synthreal.callbacks.records import bucket_figures, read_bucket_record
from synthreal.datamodules import BucketDataModule, MixedDataModule
from synthreal.experiment import ExperimentCLI
from synthreal.plots import contact_sheet
from synthreal.preview import preview_panels
from synthreal.spaces import ParameterSpace
from synthreal.studies.cell import quiet, seed_folder
from synthreal.studies.factors import Overrides
from synthreal.studies.outcome_figures import Figures
from synthreal.studies.spec import Study

_PANELS = 6

Record = tuple[list[int], Float[np.ndarray, "r e k"], Float[np.ndarray, "r e k"]]
"""Epochs, difficulty and P of R runs."""


def run_figures(study: Study, runs: Path, results: pd.DataFrame) -> Figures:
    """Returns name → (title, figure): what was trained on; each variant's heat maps and effective share over its runs.

    The latter only if the runs draw from buckets; a variant is left out if its runs kept no record of them.
    """
    quiet()
    first = next((name for name in study.variants if study.baseline_of(name) == name), next(iter(study.variants)))
    data = _data(study, first)
    if isinstance(data, MixedDataModule):
        return {"generated": ("What was trained on", _trained_on(study))}
    if not isinstance(data, BucketDataModule):
        return {}
    data.setup("fit")
    panels = {"real": preview_panels(data).get("real")}
    buckets: Figures = {}
    for variant in study.variants:
        seeds = results[results["variant"] == variant]["seed"].unique().tolist()
        record = _read([seed_folder(runs, variant, seed) for seed in seeds])
        if record and isinstance(own := _data(study, variant), BucketDataModule):  # generators may differ
            buckets |= _bucket_figures(variant, record, own.generator.space)
            panels[f"{variant}, epoch {record[0][-1]}"] = _last_drawn(own, record)
    shown = {name: panel for name, panel in panels.items() if panel}
    generated: Figures = {"generated": ("What was generated", contact_sheet(shown, data.classes))} if shown else {}
    return generated | buckets


def _data(study: Study, variant: str) -> LightningDataModule:
    cli = ExperimentCLI([*study.arguments(variant, study.seeds[0]), "--trainer.logger=false"], run=False)
    return cli.datamodule


def _trained_on(study: Study) -> Figure:
    """Real images, and the synthetic ones of the variants that make them in different ways."""
    panels: dict[str, tuple[Tensor, Tensor]] = {}
    ways: list[Overrides] = []
    classes: tuple[str, ...] = ()
    for variant, overrides in study.variants.items():
        way = {key: value for key, value in overrides.items() if "generator" in key or "synthetic_transform" in key}
        if (way in ways and "real" in panels) or len(panels) > _PANELS:
            continue
        data = _data(study, variant)
        if not isinstance(data, MixedDataModule):
            continue
        data.setup("fit")
        made, classes = preview_panels(data), data.classes
        panels.update({name: made[name] for name in made if name == "real"})
        if "synthetic" in made and way not in ways:
            ways.append(way)
            panels[f"synthetic: {variant}"] = made["synthetic"]
    return contact_sheet(panels, classes)


def _read(folders: list[Path]) -> Record | None:
    found = [record for folder in folders if (record := read_bucket_record(folder))[0]]
    if not found:
        return None
    length = min(len(epochs) for epochs, _, _ in found)
    difficulty = np.stack([difficulty[:length] for _, difficulty, _ in found])
    return found[0][0][:length], difficulty, np.stack([probability[:length] for _, _, probability in found])


def _bucket_figures(variant: str, record: Record, space: ParameterSpace) -> Figures:
    epochs, difficulty, probability = record
    maps, share = bucket_figures(epochs, difficulty, probability, space)
    runs_of = f"mean of {len(difficulty)} runs"
    title = f"{variant}: effective sample size as a share of the buckets, and largest P / P0, {runs_of}"
    return {
        f"buckets_{variant}": (f"{variant}: difficulty and P / P0 over buckets, {runs_of}", maps),
        f"effective_share_{variant}": (title, share),
    }


def _last_drawn(data: BucketDataModule, record: Record) -> tuple[Tensor, Tensor] | None:
    """Synthetic images drawn from the last P of a variant's first run; None if it trains on real ones alone."""
    _, _, probability = record
    data.setup("fit")
    data.distribution.probability = torch.from_numpy(probability[0, -1])
    return preview_panels(data).get("synthetic")
