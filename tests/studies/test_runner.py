"""Several runs of a study: what is kept of them, whoever else writes, and what happens when it cannot be."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from multiprocessing import get_context

import pandas as pd
import pytest

from synthreal.errors import ConfigError
from synthreal.studies import runner
from synthreal.studies.runner import COLUMNS, merge_result, read_results, run_study
from synthreal.studies.spec import load_study
from tests.studies.study_parts import SMALL, row_of, write_study

ROWS = 20


def test_what_the_study_no_longer_asks_for_stays_in_the_file(tmp_path):
    study = load_study(write_study(tmp_path, scores=["test/top1"]))
    merge_result(study, row_of(study, "uniform", 0, **{"test/top1": 0.9}), tmp_path)
    merge_result(study, row_of(study, "SampleAhead", 0, **{"test/top1": 0.8}), tmp_path)
    later = replace(study, variants={"uniform": study.variants["uniform"]}, scores=[], seeds=[1])
    returned = merge_result(later, row_of(later, "uniform", 1), tmp_path)
    assert list(returned) == list(read_results(later, tmp_path)) == COLUMNS
    kept = pd.read_csv(tmp_path / "results.csv").set_index(["variant", "seed"])
    assert list(kept) == [*COLUMNS[2:], "test/top1"]
    assert kept["test/top1"].dropna().to_dict() == {("uniform", 0): 0.9, ("SampleAhead", 0): 0.8}
    assert len(kept) == 3


def test_values_of_another_metric_are_not_taken_for_this_one(tmp_path):
    study = load_study(write_study(tmp_path))
    merge_result(study, row_of(study, "uniform", 0), tmp_path)
    assert read_results(study, tmp_path)["metric"].tolist() == ["test/error"]
    with pytest.raises(ConfigError, match=r"values are test/error, and .* now has the metric val/error"):
        read_results(replace(study, metric="val/error"), tmp_path)
    file = tmp_path / "results.csv"  # as it was before the metric stood in it
    pd.read_csv(file).drop(columns="metric").to_csv(file, index=False)
    assert read_results(study, tmp_path)["metric"].tolist() == ["test/error"]


def test_two_agents_keep_each_others_rows(tmp_path):
    study = load_study(write_study(tmp_path))
    rows = [row_of(study, variant, seed) for seed in range(ROWS) for variant in study.variants]
    with ProcessPoolExecutor(2, get_context("spawn")) as agents:
        list(agents.map(merge_result, repeat(study), rows, repeat(tmp_path)))
    kept = read_results(study, tmp_path)
    assert kept.groupby("variant").size().to_dict() == dict.fromkeys(study.variants, ROWS)


def test_when_results_cannot_be_kept_no_further_run_begins(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(runner, "merge_result", full)
    changes = {"variants": {"uniform": SMALL}, "seeds": list(range(10)), "steps": [1], "paper": {}}
    study = load_study(write_study(tmp_path, **changes))
    with pytest.raises(OSError, match="disk full"):
        run_study(study, tmp_path / "runs", jobs=1)
    begun = list((tmp_path / "runs").rglob("step_1"))
    assert 1 <= len(begun) < len(study.seeds)  # the worker's queue holds two or three that count as begun
