import sys
import types

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from synthreal.errors import ConfigError
from synthreal.studies.cell import cell_folder, run_cell
from synthreal.studies.outcomes import outcome_report
from synthreal.studies.spec import load_study
from tests.studies.outcomes_parts import Hidden, Shown

INDEX = [10, 11, 12, 20, 21, 22]
LABEL = [0, 0, 1, 1, 2, 2]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Puts this file's datamodules where a class path finds them, however pytest imported it."""
    here = types.ModuleType("data_for_tests")
    here.Shown, here.Hidden = Shown, Hidden
    monkeypatch.setitem(sys.modules, "data_for_tests", here)
    monkeypatch.setattr(Shown, "asked", [])


def make_study(folder, data="Shown", **changes):
    config = {
        "model": {"class_path": "Classifier", "init_args": {"num_classes": 3}},
        "data": {"class_path": f"data_for_tests.{data}"},
        "trainer": {"accelerator": "cpu"},
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(config))
    content = {
        "title": "three classes",
        "configs": ["base.yaml"],
        "variants": {"old": {}, "new": {}},
        "seeds": [0, 1, 2],
        "metric": "test/error",
        "steps": [5],
        "baseline": "old",
        **changes,
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return load_study(folder / "study.yaml")


def keep(runs, guesses, test_set="real"):
    """Files of finished runs: (variant, seed) → what is predicted; returns their results."""
    for (variant, seed), guess in guesses.items():
        table = pd.DataFrame({"set": test_set, "index": INDEX, "label": LABEL, "prediction": guess, "confidence": 0.9})
        folder = cell_folder(runs, variant, seed, 5)
        folder.mkdir(parents=True)
        table.to_csv(folder / "predictions.csv", index=False)
    return pd.DataFrame([(variant, seed, 5) for variant, seed in guesses], columns=["variant", "seed", "step"])


BY_HAND = {
    ("old", 0): [0, 1, 1, 0, 2, 0],
    ("old", 1): [0, 1, 1, 0, 0, 0],
    ("new", 0): [0, 0, 1, 0, 2, 2],
    ("new", 1): [0, 0, 2, 0, 0, 2],
    ("new", 2): [1, 1, 0, 0, 0, 0],  # the baseline has no such seed yet
}


def test_agreement_by_hand(tmp_path):
    tables, _ = outcome_report(make_study(tmp_path), tmp_path, keep(tmp_path, BY_HAND))
    title, table = tables["agreement"]
    assert "McNemar" in title
    (row,) = table.to_dict("records")
    # Seed 0: images 0, 2 and 4 both right, 1 and 5 gained, 3 both wrong. Seed 1: 0; 1 and 5; 2 lost; 3 and 4.
    assert row == {
        "variant": "new",
        "baseline": "old",
        "set": "real",
        "runs": 2,
        "images": 6,
        "both_right": 2.0,
        "gained": 2.0,
        "lost": 0.5,
        "both_wrong": 1.5,
        "p_mcnemar": 0.5,  # two of two tosses
    }


def test_accuracy_of_each_class_by_hand(tmp_path):
    tables, _ = outcome_report(make_study(tmp_path), tmp_path, keep(tmp_path, BY_HAND))
    _, table = tables["per_class"]
    assert table["variant"].tolist() == ["old"] * 3 + ["new"] * 3
    assert table["class"].tolist() == ["ash", "birch", "cedar"] * 2
    assert set(table["set"]) == {"real"}
    assert set(table["images"]) == {2}
    # "new" is right 4, 1 and 3 times of 6, over all its runs
    assert table["accuracy"].tolist() == [50, 50, 25, 66.67, 16.67, 50]
    # against the baseline with the same seeds: 100, 25 and 75 % less 50, 50 and 25 %
    assert table["difference"].iloc[:3].isna().all()
    assert table["difference"].iloc[3:].tolist() == [50, -25, 50]


def test_confusion_and_images_by_hand(tmp_path):
    _, figures = outcome_report(make_study(tmp_path), tmp_path, keep(tmp_path, BY_HAND))
    assert list(figures) == ["confusion_new", "gained_lost_new"]
    title, figure = figures["confusion_new"]
    assert "mean of 2 runs" in title
    old, new, change = (np.asarray(axis.images[0].get_array()) for axis in figure.axes)
    np.testing.assert_allclose(old, [[50, 50, 0], [50, 50, 0], [75, 0, 25]])
    np.testing.assert_allclose(new, [[100, 0, 0], [50, 25, 25], [25, 0, 75]])
    np.testing.assert_allclose(change, new - old)
    assert [axis.get_title() for axis in figure.axes] == ["old", "new", "change"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["ash", "birch", "cedar"]
    numbers = [text.get_text() for text in figure.axes[2].texts if text.get_visible()]
    assert numbers == ["+50", "-50", "-25", "+25", "-50", "+50"]

    title, figure = figures["gained_lost_new"]
    # Images 11 and 22 are gained in both runs; 12 is lost in one of two, which is not most.
    assert Shown.asked == [("test", "real", [11, 22]), ("test", "real", [])]
    captions = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert captions == ["ash: birch", "cedar: ash"]
    shown = [np.asarray(axis.images[0].get_array()) for axis in figure.axes if axis.images]
    assert [picture.shape for picture in shown] == [(4, 4, 3)] * 2
    assert [float(picture[0, 0, 0]) for picture in shown] == pytest.approx([11 / 255, 22 / 255])
    heads = [part.get_suptitle() for part in figure.subfigs]
    assert heads == ["'new' right, 'old' wrong: 2 images", "'old' right, 'new' wrong: 0 images"]
    assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["none"]


def test_figures_can_be_saved(tmp_path):
    _, figures = outcome_report(make_study(tmp_path), tmp_path, keep(tmp_path, BY_HAND))
    for name, (_, figure) in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000


def test_with_many_variants_the_best_and_the_worst_have_figures(tmp_path):
    names = ["old", *(f"1:{i}" for i in range(7))]
    study = make_study(tmp_path, variants={name: {} for name in names})
    right = [2, 3, 1, 4, 0, 5, 3, 3]  # images of six; the best is "1:4", the worst "1:3"
    guesses = {
        (name, 0): [label if i < count else (label + 1) % 3 for i, label in enumerate(LABEL)]
        for name, count in zip(names, right, strict=True)
    }
    tables, figures = outcome_report(study, tmp_path, keep(tmp_path, guesses))
    assert list(figures) == ["confusion_1-4", "gained_lost_1-4", "confusion_1-3", "gained_lost_1-3"]
    assert tables["agreement"][1]["variant"].tolist() == names[1:]
    assert len(tables["per_class"][1]) == 8 * 3


def test_more_images_than_there_is_room_for_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("synthreal.studies.outcome_figures._MOST_PICTURES", 4)
    guesses = {("old", 0): [1, 1, 2, 2, 0, 0], ("new", 0): LABEL}
    _, figures = outcome_report(make_study(tmp_path), tmp_path, keep(tmp_path, guesses))
    figure = figures["gained_lost_new"][1]
    assert figure.subfigs[0].get_suptitle() == "'new' right, 'old' wrong: 6 images, 4 of them"
    assert Shown.asked[0] == ("test", "real", [10, 11, 12, 20])


def test_without_a_baseline_each_variant_is_shown_alone(tmp_path):
    results = keep(tmp_path, {key: guess for key, guess in BY_HAND.items() if key[0] == "new"})
    tables, figures = outcome_report(make_study(tmp_path), tmp_path, results)
    assert list(tables) == ["per_class"]
    assert tables["per_class"][1]["difference"].isna().all()
    assert list(figures) == ["confusion_new"]
    assert len(figures["confusion_new"][1].axes) == 1


def test_without_predictions_there_is_nothing_to_report(tmp_path):
    results = pd.DataFrame([("old", 0, 5)], columns=["variant", "seed", "step"])
    assert outcome_report(make_study(tmp_path), tmp_path, results) == ({}, {})


def test_a_datamodule_that_cannot_show_its_images_is_named(tmp_path):
    with pytest.raises(ConfigError, match="MixedDataModule has them, Hidden has not"):
        outcome_report(make_study(tmp_path, data="Hidden"), tmp_path, keep(tmp_path, BY_HAND))


def test_from_training_to_the_report(tmp_path):
    digits = {"class_path": "Digits", "init_args": {"image_size": 16, "train_size": 1000}}
    glyphs = {"class_path": "Glyphs", "init_args": {"image_size": 16}}
    settings = {"dataset": digits, "generator": glyphs, "batch_size": 32, "real_per_class": 5, "steps_per_epoch": 5}
    config = {
        "model": {"class_path": "Classifier", "init_args": {"network_args": {"image_size": 16}}},
        "data": {
            "class_path": "MixedDataModule",
            "init_args": {**settings, "tests": {"synthetic": glyphs}, "test_size": 40},
        },
        "trainer": {"accelerator": "cpu", "callbacks": [{"class_path": "Predictions"}]},
    }
    variants = {"real": {"data.init_args.ratio": "[1, 0]"}, "mixed": {"data.init_args.ratio": "[1, 3]"}}
    study = make_study(tmp_path, variants=variants, baseline="real", seeds=[0], metric="test/real/error")
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(config))
    results = pd.DataFrame([run_cell(study, name, 0, 5, tmp_path / "runs", lambda _: None) for name in variants])
    tables, figures = outcome_report(study, tmp_path / "runs", results)
    table = tables["agreement"][1].set_index("set")
    assert table["images"].to_dict() == {"real": 797, "synthetic": 40}
    assert (table[["both_right", "gained", "lost", "both_wrong"]].sum(axis=1) == table["images"]).all()
    # What the tables say is what the runs logged.
    error = results.set_index("variant")["value"]
    real = table.loc["real"]
    assert 100 - 100 * (real["both_right"] + real["gained"]) / 797 == pytest.approx(error["mixed"], abs=0.02)
    assert 100 - 100 * (real["both_right"] + real["lost"]) / 797 == pytest.approx(error["real"], abs=0.02)
    assert list(figures) == ["confusion_mixed", "gained_lost_mixed"]
    torch.testing.assert_close(
        torch.tensor(np.asarray(figures["confusion_mixed"][1].axes[0].images[0].get_array()).sum(1)),
        torch.full((10,), 100.0, dtype=torch.float64),
    )
