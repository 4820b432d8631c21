"""Every study that ships: its settings exist, its data fit, and its scores are what a run logs."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from synthreal.studies.cell import check_variants, run_cell
from synthreal.studies.spec import load_study
from tests.shipped_data import capped, quick

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
STUDIES = [path for path in sorted(EXPERIMENTS.rglob("*.yaml")) if "seeds" in yaml.safe_load(path.read_text())]


def small(path):
    """A shipped study over small data, one step long."""
    study = load_study(path)
    settings = quick(*study.config_paths)
    variants = {name: {**settings, **capped(overrides)} for name, overrides in study.variants.items()}
    return replace(study, variants=variants, steps=[1], paper={})


def covering(study):
    """The first variants that have every level of every factor between them."""
    seen = set()
    for variant in study.variants:
        levels = set(study.levels(variant).items())
        if levels - seen:
            yield variant
        seen |= levels


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("in_folder_with_data")
@pytest.mark.filterwarnings("ignore:The trainer stops before the last")  # an MrGAN says so of a single step
@pytest.mark.filterwarnings("ignore:This GMCML has no reconstructor")  # of some variants of a study
def test_every_setting_fits_its_data_and_a_run_logs_every_score(path, tmp_path):
    study = small(path)
    *_, last = variants = list(covering(study))
    check_variants(study, variants)
    row = run_cell(study, last, study.seeds[0], 1, tmp_path / "runs", lambda _: None)
    assert all(math.isfinite(row[name]) for name in ("value", *study.scores))
