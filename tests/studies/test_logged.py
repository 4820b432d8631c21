"""Curves of what runs log: read from their folders, over all parts of a training."""

import numpy as np
import pandas as pd
import pytest

from synthreal.errors import ConfigError
from synthreal.studies.cell import cell_folder
from synthreal.studies.logged import logged_curves
from synthreal.studies.spec import Study

NOISE, LOSS = "train/noise", "train/loss"


@pytest.fixture
def study(tmp_path):
    (tmp_path / "base.yaml").write_text("{}")
    return study_in(tmp_path)


def study_in(folder, **changes):
    base = {"title": "t", "configs": ["base.yaml"], "seeds": [0, 1], "metric": "test/error", "steps": [4]}
    base |= {"variants": {"plain": {}, "noisy": {}}, "baseline": "plain", "logged": [NOISE, LOSS]}
    return Study(**base | {"path": folder / "study.yaml"} | changes)


def log(runs, variant, seed, rows, step=4):
    folder = cell_folder(runs, variant, seed, step)
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "metrics.csv", index=False)


def results(*runs):
    return pd.DataFrame(runs, columns=["variant", "seed"])


def test_lines_have_the_steps_that_all_runs_logged(study, tmp_path):
    log(tmp_path, "noisy", 0, {"step": [0, 1, 3], NOISE: [0.1, 0.2, 0.4]})
    log(tmp_path, "noisy", 1, {"step": [1, 2, 3], NOISE: [0.3, np.nan, 0.6]})
    found = logged_curves(study, tmp_path, results(("noisy", 0), ("noisy", 1)))
    assert found.keys() == {NOISE}
    steps, values = found[NOISE][""]["noisy"]
    assert steps == [2, 4]  # steps done; loggers count from 0
    np.testing.assert_array_equal(values, [[0.2, 0.3], [0.4, 0.6]])


def test_lines_lie_in_panels_of_one_baseline(tmp_path):
    (tmp_path / "base.yaml").write_text("{}")
    factors = {"noise": {"quiet": {}, "noisy": {}}, "size": {"small": {}, "large": {}}}
    variants = {f"{noise}, {size}": {} for noise in factors["noise"] for size in factors["size"]}
    study = study_in(tmp_path, factors=factors, variants=variants, baseline="quiet", logged=[LOSS])
    for number, variant in enumerate(variants):
        log(tmp_path, variant, 0, {"step": [3], LOSS: [number]})
    found = logged_curves(study, tmp_path, results(*((variant, 0) for variant in variants)))
    flat = {(panel, line): values.item() for panel, lines in found[LOSS].items() for line, (_, values) in lines.items()}
    assert flat == {("small", "quiet"): 0, ("large", "quiet"): 1, ("small", "noisy"): 2, ("large", "noisy"): 3}


def test_parts_of_a_training_are_joined(tmp_path, study):
    study = study_in(tmp_path, steps=[2, 4])
    log(tmp_path, "plain", 0, {"step": [1, 1], LOSS: [3.0, np.nan], "test/error": [np.nan, 9.0]}, step=2)
    log(tmp_path, "plain", 0, {"step": [3], LOSS: [1.0]}, step=4)
    steps, values = logged_curves(study, tmp_path, results(("plain", 0)))[LOSS][""]["plain"]
    assert steps == [2, 4]
    assert values[:, 0].tolist() == [3.0, 1.0]


def test_what_is_scored_after_training_stands_at_its_end(tmp_path, study):
    study = study_in(tmp_path, steps=[3, 5], logged=["val/error"])
    # The last of each part is that of the trained model, which Lightning logs at the number of steps done.
    log(tmp_path, "plain", 0, {"step": [1, 3], "val/error": [9.0, 7.0]}, step=3)
    log(tmp_path, "plain", 0, {"step": [3, 4, 5], "val/error": [6.0, 5.0, 5.0]}, step=5)
    steps, values = logged_curves(study, tmp_path, results(("plain", 0)))["val/error"][""]["plain"]
    assert steps == [2, 3, 4, 5]
    assert values[:, 0].tolist() == [9, 7, 6, 5]


def test_nothing_is_drawn_of_what_nobody_logged(study, tmp_path):
    log(tmp_path, "plain", 0, {"step": [0, 1], NOISE: [np.nan, np.nan]})
    assert logged_curves(study, tmp_path, results(("plain", 0), ("noisy", 1))) == {}  # nor of a folder that is gone


def test_results_are_not_drawn_over_training(study, tmp_path):
    with pytest.raises(ConfigError, match=r"logged values are train/… or val/…, not 'test/error'"):
        study_in(tmp_path, logged=["test/error"])
