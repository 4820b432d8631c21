"""Means, comparisons and tables by hand."""

import pandas as pd
import pytest
from scipy import stats

from synthreal.studies.exchange import Exchange
from synthreal.studies.factors import variants_of
from synthreal.studies.spec import Study
from synthreal.studies.summary import summarise
from synthreal.studies.tables import Table, exchange_table, frame_table, main_table, score_table, verdicts

FACTORS = {
    "ratio": {"1:0": {}, "1:15": {}},
    "augmentation": {"plain": {}, "augmented": {}},
    "real": {"5": {}, "20": {}},
}
VALUES = {  # of seeds 0, 1 and 2
    "1:0, plain, 5": [10.0, 12.0, 14.0],
    "1:15, plain, 5": [8.0, 11.0, 11.0],
    "1:0, plain, 20": [5.0, 6.0, 7.0],
    "1:15, plain, 20": [5.0, 6.0, 7.5],
    "1:15, augmented, 5": [1.0, 2.0, 3.0],
}


def make_study(tmp_path, **changes):
    (tmp_path / "base.yaml").write_text("{}")
    factors = changes.get("factors", FACTORS)
    settings = {
        "title": "tiny",
        "configs": ["base.yaml"],
        "seeds": [0, 1, 2],
        "metric": "test/real/error",
        "steps": [7],
        "baseline": "1:0",
        "unit": "%",
        "factors": factors,
        "variants": variants_of(factors, []),
        "path": tmp_path / "tiny.yaml",
    }
    return Study(**{**settings, **changes})


def results_of(values, step=7):
    return pd.DataFrame(
        [
            {"variant": variant, "seed": seed, "step": step, "value": value, "test/top1": value / 100}
            for variant, row in values.items()
            for seed, value in enumerate(row)
        ]
    )


def test_without_factors(tmp_path):
    study = make_study(
        tmp_path, factors={}, variants={"uniform": {}, "SampleAhead": {}}, baseline="uniform", paper={"uniform": [3.0]}
    )
    summary = summarise(study, results_of({"SampleAhead": [3.0, 4.0], "uniform": [4.0, 6.0]}))
    assert list(summary["variant"]) == ["uniform", "SampleAhead"]
    ours = summary.iloc[1]
    assert ours["difference"] == pytest.approx(-1.5)
    # paired differences -1 and -2: mean -1.5, standard error 0.5, t(0.975, 1) = 12.7062
    assert (ours["low"], ours["high"]) == pytest.approx((-1.5 - 6.3531, -1.5 + 6.3531), abs=1e-3)
    text = main_table(study, summary).markdown()
    assert text.splitlines()[2:] == [
        "| 7 | uniform | 2 | 5.000 ± 1.414 | 3.000 |  |  |  |  |  |",
        "| 7 | SampleAhead | 2 | 3.500 ± 0.707 |  | -1.500 | -7.853 to +4.853 | 0.2 | 0.35 | 0.2 |",
    ]
    assert verdicts(summary)[0].startswith("1 comparison was made: 0 with p < 0.05, 0 when")


def test_each_variant_is_compared_inside_its_group(tmp_path):
    study = make_study(tmp_path)
    summary = summarise(study, results_of(VALUES)).set_index("variant")
    # Groups one after another, the baseline first; the augmented one has no baseline among the results.
    assert list(summary.index) == list(VALUES)
    assert summary["augmentation"].tolist() == ["plain"] * 4 + ["augmented"]
    assert summary["difference"].isna().tolist() == [True, False, True, False, True]
    at_5, at_20 = summary.loc["1:15, plain, 5"], summary.loc["1:15, plain, 20"]
    assert at_5["difference"] == pytest.approx(-2)  # -2, -1, -3
    assert at_20["difference"] == pytest.approx(0.5 / 3)
    p = stats.ttest_rel([8, 11, 11], [10, 12, 14]).pvalue
    assert at_5["p_paired"] == pytest.approx(p)
    assert at_5["p_holm"] == pytest.approx(2 * p)  # the smaller of two
    assert at_20["p_holm"] == pytest.approx(max(at_20["p_paired"], 2 * p))
    assert at_5["verdict"].startswith("1:15, plain, 5 against 1:0, plain, 5: no significant difference")


def test_holm_counts_all_comparisons_of_all_steps(tmp_path):
    study = make_study(tmp_path, steps=[7, 9])
    both = pd.concat([results_of(VALUES, 7), results_of(VALUES, 9)])
    summary = summarise(study, both).set_index(["step", "variant"])
    row = summary.loc[(7, "1:15, plain, 5")]
    assert row["p_holm"] == pytest.approx(4 * row["p_paired"])
    assert verdicts(summary.reset_index())[0].startswith("4 comparisons were made")


@pytest.mark.parametrize("lost", [float("nan"), float("inf")])
def test_a_run_without_a_finite_value_has_no_mean(tmp_path, lost):
    study = make_study(tmp_path, scores=["test/top1"])
    summary = summarise(study, results_of({**VALUES, "1:15, plain, 5": [8.0, lost, 11.0]})).set_index("variant")
    row, baseline = summary.loc["1:15, plain, 5"], summary.loc["1:0, plain, 5"]
    assert row["runs"] == 3
    assert row[["mean", "std", "difference", "p", "p_holm", "test/top1 mean", "test/top1 std"]].isna().all()
    assert row["verdict"] == "1:15, plain, 5 against 1:0, plain, 5: 1 of 6 runs have no finite value."
    assert baseline["mean"] == 12
    other = summary.loc["1:15, plain, 20"]
    assert other["p_holm"] == other["p"]  # the only comparison that was made
    assert main_table(study, summary.reset_index()).rows[1][4:6] == ["3", ""]


def test_main_table_has_a_column_for_each_factor_the_compared_one_last(tmp_path):
    study = make_study(tmp_path)
    table = main_table(study, summarise(study, results_of(VALUES)))
    assert table.head[:6] == ["steps", "augmentation", "real", "ratio", "runs", "test/real/error (%), mean ± sd"]
    assert table.rows[0][:6] == ["7", "plain", "5", "1:0", "3", "12.000 ± 2.000"]
    assert table.rows[0][6:] == [""] * 5
    assert table.rows[1][6:8] == ["-2.000", "-4.484 to +0.484"]  # t(0.975, 2) / √3 = 2.4841
    assert table.group == 3
    assert table.words == {1, 2, 3}


def test_score_table(tmp_path):
    study = make_study(tmp_path, scores=["test/top1"])
    results = results_of({"1:0, plain, 5": [10.0, 12.0, 14.0], "1:15, plain, 5": [50.0]})
    table = score_table(study, summarise(study, results))
    assert table.head == ["steps", "augmentation", "real", "ratio", "test/top1"]
    assert [row[-1] for row in table.rows] == ["0.120 ± 0.020", "0.500"]
    results["test/top1"] = float("nan")
    assert score_table(study, summarise(study, results)).rows[0][-1] == ""


def test_exchange_table(tmp_path):
    study = make_study(tmp_path, curve="real")
    nan, infinite = float("nan"), float("inf")
    found = Exchange(1000, 200, 12.5, 50, 100, 80, infinite, without_rate=0.031, gain=-25.0)
    never = Exchange(1000, 200, 12.5, 50, infinite, infinite, infinite, without_rate=1.0, gain=nan)
    table = exchange_table(study, {"plain": found, "augmented": never})
    assert table.head[:4] == ["augmentation", "all real", "test/real/error alone", "r*"]
    assert table.rows == [
        ["plain", "200", "12.5", "100", "80 to ∞", "1,000", "10", "8.333 to ∞", "3.1 %", "-25.00 %"],
        ["augmented", "200", "12.5", "never", "", "1,000", "none", "", "100.0 %", ""],
    ]
    bound = Exchange(1000, 200, 12.5, 100, 100, nan, nan, without_rate=0.0, gain=nan)
    assert exchange_table(study, {"plain": bound}).rows[0][6] == "at most 10"


def test_markdown_and_other_frames():
    assert Table("t", ["a|b", "c"], [["1|2", "x"]]).markdown() == "| a\\|b | c |\n| --- | --- |\n| 1\\|2 | x |"
    frame = pd.DataFrame({"variant": ["a"], "gained": [118.5], "many": [12345.6], "p": [1.23456e-8], "n": [850]})
    table = frame_table("agreement", frame)
    assert table.rows == [["a", "118.5", "12,346", "1.235e-08", "850"]]
    assert table.words == {0}


@pytest.mark.parametrize(("count", "said"), [(8, 8), (9, 3)])
def test_of_many_comparisons_only_those_that_differ_are_said(count, said):
    p = [0.01, 0.04, float("nan"), *[0.5] * (count - 3)]
    summary = pd.DataFrame({"step": 1, "p": p, "p_holm": 1.0, "verdict": [f"number {i}" for i in range(count)]})
    summary["difference"] = [1.0, 1.0, float("nan"), *[1.0] * (count - 3)]  # the third has runs that diverged
    first, *others = verdicts(summary)
    assert first.startswith(f"{count} comparisons were made: 2 with p < 0.05, 0 when")
    assert others == [f"1 steps: number {i}" for i in range(said)]
