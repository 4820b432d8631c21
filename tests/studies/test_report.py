"""A report from a table of results: its files and its page."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from synthreal.errors import ConfigError
from synthreal.studies import report
from synthreal.studies.runner import merge_result
from synthreal.studies.spec import load_study

DIGITS = Path(__file__).parents[2] / "experiments" / "sampleahead" / "digits.yaml"
SMALL = {"data.num_probes": 160, "data.steps_per_epoch": 3}


@pytest.fixture
def study(tmp_path):
    content = {
        "title": "Is <b> worth it?",
        "configs": [str(DIGITS)],
        "factors": {
            "ratio": {"1:0": SMALL, "1:15": SMALL},
            "real": {"5": {"data.real_per_class": 5}, "20": {"data.real_per_class": 20}},
        },
        "seeds": [0, 1, 2],
        "metric": "test/error",
        "scores": ["test/top1"],
        "unit": "%",
        "steps": [5],
        "baseline": "1:0",
        "curve": "real",
        "exchange": {"alone": "1:0", "mixed": "1:15", "synthetic": 400, "real_per_unit": 10},
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_study(path)


def add_results(study, runs):
    values = {"1:0, 5": [30, 31, 29], "1:0, 20": [20, 21, 19], "1:15, 5": [25, 26, 24], "1:15, 20": [10, 10.5]}
    for variant, row in values.items():
        for seed, value in enumerate(row):
            cell = {"variant": variant, "seed": seed, "step": 5, "value": value, "seconds": 1.0}
            hashed = study.settings_hash(variant)
            merge_result(study, {**cell, "settings": hashed, "test/top1": 1 - value / 100}, runs)


@pytest.fixture
def outcomes(monkeypatch):
    """What the comparison of predictions would add."""
    figure = Figure()
    figure.subplots().plot([1, 2])
    frame = pd.DataFrame({"variant": ["1:15, 5"], "gained": [7.0]})
    monkeypatch.setattr(
        report,
        "outcome_report",
        lambda study, runs, results: (
            {"agreement": ("Who is right", frame)},
            {"confusion_1:15, 5": ("Confusion of 1:15, 5", figure)},
        ),
    )


def test_a_study_with_factors(study, outcomes, tmp_path):
    runs, output = tmp_path / "runs", tmp_path / "page"
    add_results(study, runs)
    text, path = report.write_report(study, runs, output)
    page = path.read_text()

    # One step: no curve over steps. From 25 at 50 real images to 10.25 at 200, 20 is at 50 + 150 · 5 / 14.75, for the
    # two seeds that have run everywhere: 25, 26 against 20, 21, and 10, 10.5.
    assert {file.name for file in output.iterdir()} == {
        *("results.csv", "summary.csv", "effects.csv", "table.md", "report.html", "agreement.csv"),
        *("learning_curve.png", "generated.png", "confusion_1-15, 5.png"),
    }
    assert page.count("data:image/png;base64,") == 3
    assert 'src="http' not in page
    assert "<title>Is &lt;b&gt; worth it?</title>" in page
    assert "1 of the study's results are not there yet" in page
    assert "<h2>Who is right</h2>" in page
    assert "<h2>Main effects" in page
    assert (output / "agreement.csv").read_text() == 'variant,gained\n"1:15, 5",7.0\n'
    equal = 50 + 150 * (25.5 - 20.5) / (25.5 - 10.25)
    sentence = f"{equal:,.0f} real and 400 synthetic images reach the score of all 200 real images alone, 20.5"
    assert sentence in text
    assert sentence in page
    assert "2 comparisons were made" in text
    assert "| 5 | 5 | 1:15 | 3 | 25.000 ± 1.000 | -5.000 |" in text
    assert "| 5 | 20 | 1:15 | 0.897 ± 0.004 |" in text
    assert (output / "table.md").read_text() == f"Is <b> worth it?\n\n{text}"
    summary = pd.read_csv(output / "summary.csv")
    assert {"ratio", "real", "p_holm", "test/top1 mean", "test/top1 std"} < set(summary)
    # A rule above each group: 5 and 20 real images in the results, each once in the scores.
    assert page.count('<tr class="first">') == 4


def test_the_results_of_the_runs_are_left_as_they_are(study, outcomes, monkeypatch, tmp_path):
    add_results(study, tmp_path)
    kept = {name: value for name, value in study.variants.items() if name != "1:15, 5"}
    later = replace(study, variants=kept, factors={}, curve=None, exchange=None, baseline="1:0, 5", scores=[])

    def finishing(*_):
        cell = {"variant": "1:15, 20", "seed": 2, "step": 5, "value": 11.0, "seconds": 1.0}
        merge_result(study, {**cell, "settings": study.settings_hash("1:15, 20"), "test/top1": 0.89}, tmp_path)
        return {}

    monkeypatch.setattr(report, "run_figures", finishing)  # a run finishes while figures are drawn
    report.write_report(later, tmp_path, tmp_path / "other" / "..")
    whole = pd.read_csv(tmp_path / "results.csv")
    assert whole.groupby("variant").size().to_dict() == dict.fromkeys(study.variants, 3)
    assert whole["test/top1"].notna().all()


def test_seeds_and_steps_that_the_study_no_longer_has_do_not_count(study, outcomes, tmp_path):
    add_results(study, tmp_path / "runs")
    row = {"variant": "1:0, 5", "seed": 0, "step": 2, "value": 99.0, "seconds": 1.0, "test/top1": 0.0}
    hashed = study.settings_hash("1:0, 5")
    merge_result(replace(study, steps=[2, 5]), {**row, "settings": hashed}, tmp_path / "runs")
    _, page = report.write_report(replace(study, seeds=[0, 1, 7]), tmp_path / "runs", tmp_path / "page")
    assert "4 of the study's results are not there yet" in page.read_text()
    counted = pd.read_csv(tmp_path / "page" / "results.csv")
    assert (set(counted["seed"]), set(counted["step"]), len(counted)) == ({0, 1}, {5}, 8)
    summary = pd.read_csv(tmp_path / "page" / "summary.csv").set_index("variant")
    assert (summary.loc["1:0, 5", "runs"], summary.loc["1:0, 5", "mean"]) == (2, 30.5)
    with pytest.raises(ConfigError, match="No finished run"):
        report.write_report(replace(study, seeds=[7]), tmp_path / "runs", tmp_path / "page")


def test_a_large_picture_gets_fewer_colours():
    figure = Figure((6, 6))
    figure.add_axes((0, 0, 1, 1)).imshow(np.random.default_rng(0).random((600, 600, 3)))
    plain = io.BytesIO()
    figure.savefig(plain, format="png", dpi=110)
    content = report.png(figure)
    assert plain.tell() > 1e6 > 2 * len(content)
    with Image.open(io.BytesIO(content)) as small, Image.open(plain) as whole:
        difference = np.abs(np.asarray(small.convert("RGB"), int) - np.asarray(whole.convert("RGB"), int))
        assert small.size == whole.size
        assert len(small.getcolors()) <= 256
    assert difference.mean() < 20  # of 255, for noise: nothing is harder


def test_a_small_picture_stays_as_it_is():
    figure = Figure((3, 3))
    figure.add_subplot().plot([0, 1])
    plain = io.BytesIO()
    figure.savefig(plain, format="png", dpi=110)
    assert report.png(figure) == plain.getvalue()
