import numpy as np
import pandas as pd
import pytest

from synthreal.studies.cell import cell_folder
from synthreal.studies.predictions import pair_up, read_outcomes
from synthreal.studies.spec import Study, load_study

LABEL = [0, 0, 1, 2]


@pytest.fixture
def study(tmp_path):
    (tmp_path / "base.yaml").write_text("{}")
    (tmp_path / "study.yaml").write_text(
        """
        title: two factors
        configs: [base.yaml]
        factors:
          ratio: {"1:0": {}, "1:3": {}}
          real: {5: {}, 20: {}}
        skip: [{ratio: "1:0", real: 20}]
        baseline: "1:0"
        seeds: [0, 1, 2]
        metric: test/real/error
        steps: [10, 20]
        """
    )
    return load_study(tmp_path / "study.yaml")


def keep(runs, variant, seed, step=20, index=(3, 5, 7, 9), label=LABEL, **sets):
    """A run's file; a set is given by what is predicted."""
    rows = [
        {"set": name, "index": i, "label": true, "prediction": guess, "confidence": 0.5}
        for name, guesses in sets.items()
        for i, true, guess in zip(index, label, guesses, strict=True)
    ]
    folder = cell_folder(runs, variant, seed, step)
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)


def finished(*cells):
    return pd.DataFrame(cells, columns=["variant", "seed", "step"])


def test_runs_are_stacked_by_test_set(study, tmp_path):
    keep(tmp_path, "1:0, 5", 1, real=[0, 1, 1, 2], None_=[2, 2, 2, 2])
    keep(tmp_path, "1:0, 5", 0, real=[1, 1, 1, 1], None_=[0, 0, 0, 0])
    found = read_outcomes(study, tmp_path, finished(("1:0, 5", 1, 20), ("1:0, 5", 0, 20)))
    assert list(found) == ["1:0, 5"]
    assert list(found["1:0, 5"]) == ["real", "None_"]
    real = found["1:0, 5"]["real"]
    assert real.seeds == [0, 1]
    assert (real.index.tolist(), real.label.tolist()) == ([3, 5, 7, 9], LABEL)
    assert real.prediction.tolist() == [[1, 1, 1, 1], [0, 1, 1, 2]]
    assert real.right.tolist() == [[False, False, True, False], [True, False, True, True]]
    assert real.only([1]).prediction.tolist() == [[0, 1, 1, 2]]


@pytest.mark.parametrize("name", ["None", "nan", "0", "1:15"])
def test_a_test_set_may_be_called_anything(study, tmp_path, name):
    keep(tmp_path, "1:0, 5", 0, **{name: LABEL})
    assert list(read_outcomes(study, tmp_path, finished(("1:0, 5", 0, 20)))["1:0, 5"]) == [name]


def test_only_finished_runs_of_the_last_step_that_kept_predictions_count(study, tmp_path):
    keep(tmp_path, "1:0, 5", 0, real=LABEL)
    keep(tmp_path, "1:0, 5", 1, real=LABEL)  # killed before it was finished
    keep(tmp_path, "1:0, 5", 2, step=10, real=LABEL)  # an earlier step
    cells = [("1:0, 5", 0, 20), ("1:0, 5", 2, 10), ("1:3, 5", 0, 20)]
    found = read_outcomes(study, tmp_path, finished(*cells))
    assert {name: sets["real"].seeds for name, sets in found.items()} == {"1:0, 5": [0]}
    assert read_outcomes(study, tmp_path, finished()) == {}


@pytest.mark.parametrize("other", [{"index": (3, 5, 7, 8)}, {"label": [0, 0, 1, 1]}])
def test_a_set_whose_images_differ_between_runs_is_left_out(study, tmp_path, other):
    keep(tmp_path, "1:0, 5", 0, real=LABEL)
    keep(tmp_path, "1:0, 5", 1, real=LABEL, **other)
    keep(tmp_path, "1:3, 5", 0, real=LABEL)
    cells = [("1:0, 5", 0, 20), ("1:0, 5", 1, 20), ("1:3, 5", 0, 20)]
    assert list(read_outcomes(study, tmp_path, finished(*cells))) == ["1:3, 5"]


def test_a_variant_meets_its_own_baseline_by_common_seeds(study, tmp_path):
    keep(tmp_path, "1:0, 5", 1, real=[0, 0, 0, 0], made=LABEL)
    keep(tmp_path, "1:0, 5", 2, real=[1, 1, 1, 1], made=LABEL)
    keep(tmp_path, "1:3, 5", 0, real=[2, 2, 2, 2])
    keep(tmp_path, "1:3, 5", 2, real=[0, 1, 2, 2])
    keep(tmp_path, "1:3, 20", 0, real=LABEL)  # its baseline is skipped
    cells = [("1:0, 5", 1, 20), ("1:0, 5", 2, 20), ("1:3, 5", 0, 20), ("1:3, 5", 2, 20), ("1:3, 20", 0, 20)]
    (pair,) = pair_up(study, read_outcomes(study, tmp_path, finished(*cells)))
    assert (pair.variant, pair.baseline, pair.test_set) == ("1:3, 5", "1:0, 5", "real")
    assert (pair.before.seeds, pair.after.seeds) == ([2], [2])
    np.testing.assert_array_equal(pair.before.prediction, [[1, 1, 1, 1]])
    np.testing.assert_array_equal(pair.after.prediction, [[0, 1, 2, 2]])


@pytest.mark.parametrize(("seed", "index"), [(1, (3, 5, 7, 9)), (0, (3, 5, 7, 8))])
def test_without_common_seeds_or_images_there_is_no_pair(study: Study, tmp_path, seed, index):
    keep(tmp_path, "1:0, 5", 0, real=LABEL)
    keep(tmp_path, "1:3, 5", seed, index=index, real=LABEL)
    outcomes = read_outcomes(study, tmp_path, finished(("1:0, 5", 0, 20), ("1:3, 5", seed, 20)))
    assert len(outcomes) == 2
    assert pair_up(study, outcomes) == []
