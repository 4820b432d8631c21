"""Pictures of a study's runs: difficulty and P over buckets, effective share, and what was generated."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from synthreal.callbacks.records import bucket_figures, read_bucket_record
from synthreal.experiment import ExperimentCLI, preview_figure
from synthreal.spaces import ParameterSpace
from synthreal.studies.cell import quiet
from synthreal.studies.spec import Study


def run_figures(study: Study, runs: Path, results: pd.DataFrame) -> dict[str, Figure]:
    """Returns title → figure: for each variant heat maps (mean over its runs) and effective share; one contact sheet.

    Only runs that kept a record of their buckets have the former.
    """
    quiet()
    cli = ExperimentCLI(study.arguments(study.baseline, study.seeds[0]), run=False)
    figures: dict[str, Figure] = {}
    if hasattr(cli.datamodule, "generator"):
        for variant in study.variants:
            folders = [
                runs / variant / f"seed_{seed}" for seed in results[results["variant"] == variant]["seed"].unique()
            ]
            figures |= _variant_figures(variant, folders, cli.datamodule.generator.space)
    if hasattr(cli.datamodule, "preview"):
        figures["Contact sheet: what uniform sampling trains on"] = preview_figure(cli.datamodule)
    return figures


def _variant_figures(variant: str, folders: list[Path], space: ParameterSpace) -> dict[str, Figure]:
    records = [record for folder in folders if (record := read_bucket_record(folder))[0]]
    if not records:
        return {}
    length = min(len(epochs) for epochs, _, _ in records)
    difficulty = np.mean([d[:length] for _, d, _ in records], axis=0)
    probability = np.mean([p[:length] for _, _, p in records], axis=0)
    maps, share = bucket_figures(records[0][0][:length], difficulty, probability, space)
    return {
        f"{variant}: difficulty and P / P0 over buckets, mean of {len(records)} runs": maps,
        f"{variant}: effective sample size of the mean P": share,
    }
