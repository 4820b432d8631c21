"""A study from its file to its report."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from synthreal.cli import main
from synthreal.datamodules import BucketDataModule
from synthreal.errors import ConfigError
from synthreal.studies.cell import cell_folder, check_variants, run_cell
from synthreal.studies.runner import COLUMNS, merge_result, missing_cells, read_results, run_study
from synthreal.studies.spec import load_study
from synthreal.studies.sweep import sweep_yaml
from tests.studies.study_parts import EXPERIMENTS, SMALL, write_study

STUDIES = [path for path in sorted(EXPERIMENTS.rglob("*.yaml")) if "seeds" in yaml.safe_load(path.read_text())]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_is_sound(path):
    study = load_study(path)
    assert len(missing_cells(study, pd.DataFrame(columns=COLUMNS))) == (
        len(study.steps) * len(study.seeds) * len(study.variants)
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"baseline": "nobody"}, "baseline"),
        ({"steps": [5, 2]}, "steps"),
        ({"metric": "error"}, "test/"),
        ({"configs": ["missing.yaml"]}, "missing.yaml"),
        ({"paper": {"uniform": [1.0]}}, "paper"),
        ({"seeds": [1, 1]}, "seed"),
        ({"sedes": [1]}, "sedes"),
        ({"seeds": []}, "empty"),
    ],
)
def test_a_mistake_in_a_study_is_named(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        load_study(write_study(tmp_path, **changes))


def test_missing_study_and_unknown_variant(tmp_path):
    with pytest.raises(ConfigError, match="No study file"):
        load_study(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="SampleAhead"):
        load_study(write_study(tmp_path)).only("sampleahead", None)
    part = load_study(write_study(tmp_path)).only("SampleAhead", 1)
    assert (list(part.variants), part.seeds) == (["SampleAhead"], [1])


def test_a_variant_with_a_typo_stops_before_anything_is_trained(tmp_path, capsys):
    study = load_study(write_study(tmp_path, variants={"uniform": {"data.real_per_bach": 3}}, paper={}))
    with pytest.raises(ConfigError, match="'uniform' does not parse"):
        run_study(study, tmp_path / "runs", jobs=1)
    assert "real_per_bach" in capsys.readouterr().err


def test_a_variant_that_does_not_fit_its_data_is_named_before_anything_is_trained(tmp_path):
    variants = {"uniform": SMALL, "greedy": {**SMALL, "data.real_per_class": 10_000}}
    study = load_study(write_study(tmp_path, variants=variants, paper={}))
    with pytest.raises(ConfigError, match=r"variant 'greedy': .*10000"):
        run_study(study, tmp_path / "runs", jobs=1)
    assert not (tmp_path / "runs").exists()


def test_equal_data_is_loaded_once(tmp_path, monkeypatch):
    loaded = []
    setup = BucketDataModule.setup

    def counted(self, stage=None):
        loaded.append(stage)
        setup(self, stage)

    monkeypatch.setattr(BucketDataModule, "setup", counted)
    variants = {
        "uniform": SMALL,
        "faster": {**SMALL, "model.optimizer_args.lr": 0.1},
        "few": {**SMALL, "data.real_per_class": 5},
        "as by default": {**SMALL, "data.real_per_class": 30},
    }
    study = load_study(write_study(tmp_path, variants=variants, paper={}))
    check_variants(study, study.variants)
    assert loaded == ["fit", "test"] * 2
    check_variants(load_study(write_study(tmp_path, variants=variants, paper={}, metric="val/error")), ["few"])
    assert loaded == ["fit", "test", "fit", "test", "fit"]


def test_run_resume_and_report(tmp_path, capsys):
    path = write_study(tmp_path)
    runs = tmp_path / "out"
    study = load_study(path)
    run_study(study, runs, jobs=1)
    first = pd.read_csv(runs / "results.csv")
    assert len(first) == 8
    assert first["value"].between(0, 100).all()

    # What is missing is run again, and only that; it gives the same value.
    first[first["step"] == 2].to_csv(runs / "results.csv", index=False)
    kept = (runs / "uniform" / "seed_0" / "step_2" / "metrics.csv").stat().st_mtime_ns
    assert main(["study", "run", str(path), "--runs", str(runs), "--jobs=1"]) == 0
    again = pd.read_csv(runs / "results.csv")
    assert again[["variant", "seed", "step", "value"]].equals(first[["variant", "seed", "step", "value"]])
    assert (runs / "uniform" / "seed_0" / "step_2" / "metrics.csv").stat().st_mtime_ns == kept

    capsys.readouterr()
    assert main(["study", "report", str(path), "--runs", str(runs), "--output", str(tmp_path / "page")]) == 0
    printed = capsys.readouterr().out
    assert "| 5 | SampleAhead | 2 |" in printed
    assert "95 % interval" in printed
    page = (tmp_path / "page" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6  # curves, two pictures for each variant, contact sheet
    assert 'src="http' not in page
    assert {"results.csv", "summary.csv", "table.md", "curves.png"} < {p.name for p in (tmp_path / "page").iterdir()}

    with pytest.raises(ConfigError, match="other settings"):
        read_results(load_study(write_study(tmp_path, variants={"uniform": {}, "SampleAhead": SMALL})), runs)


def test_stopping_at_a_step_changes_nothing(tmp_path):
    in_two = load_study(write_study(tmp_path))
    for step in (2, 5):
        stopped = run_cell(in_two, "SampleAhead", 0, step, tmp_path / "two", lambda _: None)
    in_one = load_study(write_study(tmp_path, steps=[5], paper={}))
    straight = run_cell(in_one, "SampleAhead", 0, 5, tmp_path / "one", lambda _: None)
    assert stopped["value"] == straight["value"]
    assert (cell_folder(tmp_path / "one", "SampleAhead", 0, 5) / "last.ckpt").is_file()

    (cell_folder(tmp_path / "two", "SampleAhead", 0, 2) / "last.ckpt").unlink()
    with pytest.raises(ConfigError, match="Remove its rows"):
        run_cell(in_two, "SampleAhead", 0, 5, tmp_path / "two", lambda _: None)


def test_a_cell_that_two_agents_have_run_counts_once(tmp_path):
    study = load_study(write_study(tmp_path))
    variant = next(iter(study.variants))
    row = {"variant": variant, "seed": 1, "step": study.steps[0], "value": 2.5, "seconds": 1.0}
    row["settings"] = study.settings_hash(variant)
    merge_result(study, row, tmp_path)
    table = merge_result(study, {**row, "seconds": 3.0}, tmp_path)
    assert table["seconds"].tolist() == read_results(study, tmp_path)["seconds"].tolist() == [3.0]
    assert len(merge_result(study, {**row, "seed": 2}, tmp_path)) == 2


def test_scores_beside_the_metric_and_a_name_with_commas_and_colons(tmp_path):
    factors = {"ratio": {"1:0": {}, "1:15": {**SMALL, "data.validation_per_class": 5}}, "real": {5: {}, 20: {}}}
    settings = {"baseline": "1:0", "paper": {}, "steps": [2], "scores": ["test/top1", "val/error"]}
    study = load_study(write_study(tmp_path, variants=None, factors=factors, **settings))
    row = run_cell(study, "1:15, 20", 1, 2, tmp_path / "runs", lambda _: None)
    assert row["value"] == pytest.approx(100 * (1 - row["test/top1"]), abs=1e-4)
    assert 0 <= row["val/error"] <= 100
    assert (tmp_path / "runs" / "1-15, 20" / "seed_1" / "step_2" / "metrics.csv").is_file()

    table = merge_result(study, row, tmp_path / "runs")
    assert list(table) == [*COLUMNS, "test/top1", "val/error"]
    # A score that is asked for later is missing in the runs that are there.
    more = replace(study, scores=[*study.scores, "test/top3"])
    kept = merge_result(more, {**row, "seed": 0, "test/top3": 0.5}, tmp_path / "runs")
    assert kept.set_index("seed")["test/top3"].isna().to_dict() == {1: True, 0: False}

    with pytest.raises(ConfigError, match=r"\['test/nothing'\] were not logged; there are .*test/top1"):
        run_cell(replace(study, scores=["test/nothing"]), "1:15, 20", 1, 2, tmp_path / "runs", lambda _: None)


def test_names_that_csv_would_read_otherwise(tmp_path):
    study = load_study(write_study(tmp_path, variants={"null": {}, "5": {}}, baseline="5", paper={}, steps=[2]))
    for name in study.variants:
        row = {"variant": name, "seed": 0, "step": 2, "value": 1.0, "seconds": 1.0, "settings": "0"}
        merge_result(study, {**row, "settings": study.settings_hash(name)}, tmp_path)
    assert sorted(read_results(study, tmp_path)["variant"]) == ["5", "null"]
    assert missing_cells(study, read_results(study, tmp_path)) == [(2, 1, "null"), (2, 1, "5")]


def test_the_one_variant_that_is_asked_for_may_be_called_null(tmp_path, capsys):
    path = write_study(tmp_path)
    assert main(["study", "run", str(path), "--variant=null"]) == 2
    assert "not 'null'" in capsys.readouterr().err


def test_report_without_runs_says_what_to_do(tmp_path, capsys):
    path = write_study(tmp_path)
    assert main(["study", "report", str(path), "--runs", str(tmp_path / "none")]) == 2
    assert "synthreal study run" in capsys.readouterr().err


def test_sweep_runs_as_an_agent_would(tmp_path, monkeypatch):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    factors = {"ratio": {"1:0": SMALL, "1:15": SMALL}, "real": {5: {}, 20: {"data.real_per_class": 20}}}
    path = write_study(tmp_path, variants=None, factors=factors, baseline="1:0", steps=[2], paper={})
    sweep = yaml.safe_load(sweep_yaml(load_study(path)))
    names = sweep["parameters"]["variant"]["values"]
    assert names == ["1:0, 5", "1:0, 20", "1:15, 5", "1:15, 20"]
    sampled = {"args": {"variant": {"value": names[3]}, "seed": {"value": 1}}}
    args = create_sweep_command_args(sampled)["args"]
    words = [word for part in sweep["command"] for word in (args if part == "${args}" else [part])]
    command = words[words.index("synthreal") + 1 :]
    assert main([*command, "--runs", str(tmp_path / "runs")]) == 0
    (row,) = pd.read_csv(tmp_path / "runs" / "results.csv").to_dict("records")
    assert (row["variant"], row["seed"], row["step"]) == ("1:15, 20", 1, 2)
    assert list((tmp_path / "runs").rglob("offline-run-*"))


def test_the_shipped_sweep_runs_as_an_agent_would(monkeypatch):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    sweep = yaml.safe_load((EXPERIMENTS / "sampleahead" / "sweep.yaml").read_text())
    sampled = {name: {"value": setting["values"][0]} for name, setting in sweep["parameters"].items()}
    args = create_sweep_command_args({"args": sampled})["args"]
    words = [word for part in sweep["command"] for word in (args if part == "${args}" else [part])]
    command = [word.replace("experiments/", f"{EXPERIMENTS}/") for word in words[words.index("synthreal") + 1 :]]
    quick = ["--trainer.max_steps=2", "--data.steps_per_epoch=2", "--data.num_probes=160"]
    assert main([*command, *quick, "--trainer.enable_progress_bar=false"]) == 0
    import wandb

    summary = dict(wandb.run.summary)
    wandb.finish()
    assert 0 <= summary["val/error"] <= 100


ORPHAN = """
import multiprocessing, os, signal, time
from synthreal.studies.runner import _end_with_parent

def work(queue):
    queue.put(os.getpid())
    _end_with_parent()

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    context.Process(target=work, args=(queue,)).start()
    print(queue.get(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_ends_with_its_killed_parent(tmp_path):
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    parent = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False)
    worker = int(parent.stdout)
    assert parent.returncode == -signal.SIGKILL
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker goes on without its parent")


def test_an_override_can_name_what_another_run_of_its_seed_left(tmp_path):
    left = {**SMALL, "model.pretrained": "runs/first/seed_{seed}/last.ckpt", "data.seed": 3}
    study = load_study(write_study(tmp_path, variants={"uniform": SMALL, "later": left}))
    assert "--model.pretrained=runs/first/seed_1/last.ckpt" in study.arguments("later", 1)
    assert "--data.seed=3" in study.arguments("later", 1)
