"""Main effects of two-level studies: against numbers by hand, and where there are none."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthreal.studies.effects import main_effects
from synthreal.studies.factors import variants_of
from synthreal.studies.spec import Study
from synthreal.studies.tables import effects_table

FACTORS = {
    "noise": {"noise": {}, "quiet": {}},
    "pair": {"no pair": {}, "pair": {}},
    "triplet": {"no triplet": {}, "triplet": {}},
}
CELLS = [", ".join(levels) for levels in product(*FACTORS.values())]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "base.yaml"
    path.write_text("{}")
    return path


def study_of(config, factors=FACTORS, **changes):
    skip = changes.get("skip", [])
    variants = variants_of(factors, skip)
    base = {"title": "t", "configs": [config.name], "seeds": [0, 1, 2], "metric": "test/error", "steps": [5]}
    path = config.parent / "study.yaml"
    return Study(**base | {"baseline": "quiet", "factors": factors, "variants": variants, "path": path} | changes)


def results(values, step=5):
    """Variant → value of each seed; None where there is no run."""
    return pd.DataFrame(
        [
            {"variant": variant, "seed": seed, "step": step, "value": value}
            for variant, held in values.items()
            for seed, value in enumerate(held)
            if value is not None
        ]
    )


def planted(noise, pair, triplet, both=0.0):
    """Error that rises by so much for each part, and by `both` for noise and pair together."""
    by_cell = {}
    for cell in CELLS:
        has = [part in cell.split(", ") for part in ("noise", "pair", "triplet")]
        by_cell[cell] = [
            20 + seed + np.dot(has, [noise, pair, triplet]) + both * (has[0] and has[1]) for seed in range(3)
        ]
    return by_cell


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.floats(-5, 5)] * 4))
def test_planted_effects_are_found(config, sizes):
    noise, pair, triplet, both = sizes
    effects = main_effects(study_of(config), results(planted(*sizes)))
    # An interaction is shared out: half of the cells of either factor have the other one.
    np.testing.assert_allclose(effects["difference"], [noise + both / 2, pair + both / 2, triplet], atol=1e-9)
    assert list(effects["factor"]) == ["noise", "pair", "triplet"]
    assert list(effects["level"]) == ["noise", "pair", "triplet"]
    assert list(effects["reference"]) == ["quiet", "no pair", "no triplet"]


def test_intervals_are_those_of_a_paired_test_over_seeds(config):
    values = np.random.default_rng(0).normal(20, 2, (8, 3)) + np.array([0, 5, -5])
    effects = main_effects(study_of(config), results(dict(zip(CELLS, values.tolist(), strict=True))))
    cube = values.reshape(2, 2, 2, 3)
    adjusted = []
    for row, (change, without) in zip(
        effects.to_dict("records"),
        ((cube[0], cube[1]), (cube[:, 1], cube[:, 0]), (cube[:, :, 1], cube[:, :, 0])),
        strict=True,
    ):
        test = stats.ttest_rel(change.mean((0, 1)), without.mean((0, 1)))
        interval = test.confidence_interval(0.95)
        assert row["difference"] == pytest.approx(change.mean() - without.mean())
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
        assert row["p"] == pytest.approx(test.pvalue)
        assert row["pairs"] == 3
        adjusted.append(test.pvalue)
    order = np.argsort(adjusted)
    holm = np.minimum(np.maximum.accumulate(np.array(adjusted)[order] * [3, 2, 1]), 1)
    assert effects["p_holm"].to_numpy()[order] == pytest.approx(holm)


def test_a_seed_that_lacks_a_variant_is_left_out(config):
    values = planted(1, 2, 3)
    values["quiet, pair, triplet"][1] = None
    values["noise, pair, triplet"][2] += 4  # in one cell of four
    effects = main_effects(study_of(config), results(values))
    assert list(effects["pairs"]) == [2, 2, 2]
    assert effects["difference"].to_numpy() == pytest.approx([1.5, 2.5, 3.5])


@pytest.mark.parametrize("lost", [float("nan"), float("inf")])
def test_a_run_without_a_finite_value_leaves_no_effect(config, lost):
    values = planted(1.5, 2.5, 3.5)
    values["quiet, pair, no triplet"][1] = lost
    effects = main_effects(study_of(config), results(values))
    assert list(effects["pairs"]) == [3, 3, 3]
    assert effects[["difference", "low", "high", "p", "p_holm"]].isna().all(axis=None)


def test_each_step_has_its_own(config):
    both = pd.concat([results(planted(1, 2, 3)), results(planted(-1, 0, 0), step=10)])
    effects = main_effects(study_of(config, steps=[5, 10]), both)
    assert list(effects["step"]) == [5] * 3 + [10] * 3
    assert effects["difference"].to_numpy() == pytest.approx([1, 2, 3, -1, 0, 0])


def test_one_seed_has_no_interval(config):
    effects = main_effects(study_of(config), results({cell: held[:1] for cell, held in planted(1, 2, 3).items()}))
    assert effects["difference"].to_numpy() == pytest.approx([1, 2, 3])
    assert effects[["low", "high", "p", "p_holm"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"factors": {"noise": FACTORS["noise"]}},  # one factor: the main table has it
        {"factors": {**FACTORS, "triplet": {**FACTORS["triplet"], "twice": {}}}},  # three levels
        {"skip": [{"noise": "quiet", "pair": "pair"}]},  # the parts are no longer independent of each other
    ],
)
def test_other_studies_have_none(config, changes):
    study = study_of(config, **changes)
    assert main_effects(study, results({variant: [1.0, 2.0, 3.0] for variant in study.variants})).empty


def test_unfinished_studies_have_none(config):
    values = planted(1, 2, 3)
    del values["noise, pair, triplet"]
    assert main_effects(study_of(config), results(values)).empty


def test_the_table(config):
    study = study_of(config, unit="%")
    effects = main_effects(study, results({cell: [1.0, 2.0, 4.0] for cell in CELLS} | {CELLS[0]: [2.0, 2.5, 5.0]}))
    table = effects_table(study, effects)
    assert table.head[5] == "change of test/error (%)"
    assert table.rows[0][:6] == ["5", "noise", "noise", "quiet", "3", "+0.208"]
    assert [row[5] for row in table.rows] == ["+0.208", "-0.208", "-0.208"]
