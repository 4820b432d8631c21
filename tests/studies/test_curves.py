"""Curves over steps and over real images, and what the latter are worth."""

import numpy as np
import pandas as pd
import pytest

from synthreal.plots import learning_curves as draw_learning
from synthreal.plots import metric_curves
from synthreal.studies.curves import exchanges, learning_curves, step_curves
from synthreal.studies.exchange import ExchangeSettings
from synthreal.studies.factors import variants_of
from synthreal.studies.spec import Study

FACTORS = {
    "ratio": {"1:0": {}, "1:15": {}},
    "augmentation": {"plain": {}, "augmented": {}},
    "real": {"20": {}, "5": {}},
}


@pytest.fixture
def make_study(tmp_path):
    (tmp_path / "base.yaml").write_text("{}")

    def make(factors=FACTORS, **changes):
        settings = {
            "title": "tiny",
            "configs": ["base.yaml"],
            "seeds": [0, 1],
            "metric": "test/error",
            "steps": [7, 9],
            "baseline": next(iter(next(iter(factors.values())))),
            "factors": factors,
            "variants": variants_of(factors, []),
            "curve": "real",
            "path": tmp_path / "tiny.yaml",
        }
        return Study(**{**settings, **changes})

    return make


def results_of(values):
    """Variant → values of seeds 0 and 1 (None where there is no run yet), at the last step."""
    rows = [(name, seed, 9, value) for name, row in values.items() for seed, value in enumerate(row)]
    table = pd.DataFrame([row for row in rows if row[3] is not None], columns=["variant", "seed", "step", "value"])
    return pd.concat([table, table.assign(step=7, value=99.0)])


def test_learning_curves_rise_in_numbers_and_take_the_last_step(make_study):
    results = results_of(
        {
            "1:0, plain, 20": [5.0, 6.0],
            "1:0, plain, 5": [10.0, 12.0],
            "1:15, plain, 20": [4.0, 5.0],
            "1:15, plain, 5": [7.0, None],
            "1:0, augmented, 5": [3.0, 2.0],
        }
    )
    panels = learning_curves(make_study(), results)
    assert {panel: list(lines) for panel, lines in panels.items()} == {"plain": ["1:0", "1:15"], "augmented": ["1:0"]}
    x, values = panels["plain"]["1:0"]
    assert x == [5, 20]
    assert values.tolist() == [[10, 12], [5, 6]]
    assert panels["plain"]["1:15"][1].tolist() == [[7], [4]]  # seed 1 is not whole


def test_the_first_factor_may_be_the_curves_own(make_study):
    factors = {"real": {"5": {}, "20": {}}, "augmentation": {"plain": {}, "augmented": {}}}
    results = results_of({"5, plain": [3.0, 4.0], "20, plain": [1.0, 2.0], "20, augmented": [0.0, 1.0]})
    panels = learning_curves(make_study(factors), results)
    assert {panel: list(lines) for panel, lines in panels.items()} == {"": ["plain", "augmented"]}
    assert panels[""]["plain"][0] == [5, 20]


def test_step_curves_have_a_panel_for_each_group(make_study):
    results = results_of({"1:0, plain, 20": [5.0, 6.0], "1:15, plain, 20": [4.0, 5.0], "1:15, plain, 5": [7.0, None]})
    panels = step_curves(make_study(), results)
    assert {panel: list(lines) for panel, lines in panels.items()} == {
        "plain, real 20": ["1:0", "1:15"],
        "plain, real 5": ["1:15"],
    }
    x, values = panels["plain, real 20"]["1:0"]
    assert x == [7, 9]
    assert values.tolist() == [[99, 99], [5, 6]]
    assert learning_curves(make_study(curve=None), results) == {}


def test_exchanges_by_hand(make_study):
    settings = ExchangeSettings("1:0", "1:15", synthetic=900, real_per_unit=10)
    study = make_study(exchange=settings)
    results = results_of(
        {
            "1:0, plain, 20": [6.0, 8.0],
            "1:15, plain, 5": [10.0, 10.0],
            "1:15, plain, 20": [4.0, 4.0],
            "1:0, augmented, 20": [6.0, 8.0],
            "1:15, augmented, 5": [10.0, None],
            "1:15, augmented, 20": [4.0, 1.0],
        }
    )
    found = exchanges(study, results)
    # Half-way from 10 at 50 images to 4 at 200 is 7, the mean of all 200 alone.
    assert found["plain"].equal == pytest.approx(125)
    assert found["plain"].rate == pytest.approx(900 / 75)
    assert found["plain"].gain == pytest.approx(100 * (4 - 7) / 7)
    # Only seed 0 has all points: from 10 to 4 the target 6 is two thirds of the way.
    assert found["augmented"].target == 6
    assert found["augmented"].equal == pytest.approx(150)
    assert exchanges(make_study(exchange=settings, larger_is_better=True), results)["plain"].is_bound
    assert exchanges(make_study(), results) == {}


def test_exchange_waits_for_all_real_images_alone(make_study):
    study = make_study(exchange=ExchangeSettings("1:0", "1:15", synthetic=900, real_per_unit=10))
    mixed = {"1:15, plain, 5": [10.0, 10.0], "1:15, plain, 20": [4.0, 4.0]}
    assert exchanges(study, results_of({**mixed, "1:0, plain, 5": [6.0, 8.0]})) == {}
    assert exchanges(study, results_of({**mixed, "1:0, plain, 20": [6.0, None]})).keys() == {"plain"}
    assert exchanges(study, results_of(mixed | {"1:15, plain, 5": [10.0, None], "1:0, plain, 20": [None, 8.0]})) == {}


@pytest.mark.parametrize("lost", [float("nan"), float("inf")])
def test_a_run_without_a_finite_value_leaves_a_gap_and_no_rate(make_study, lost):
    study = make_study(exchange=ExchangeSettings("1:0", "1:15", synthetic=900, real_per_unit=10))
    whole = {"1:0, plain, 20": [6.0, 8.0], "1:15, plain, 5": [10.0, 10.0], "1:15, plain, 20": [4.0, 4.0]}
    results = results_of({**whole, "1:15, plain, 5": [10.0, lost]})
    _, values = learning_curves(study, results)["plain"]["1:15"]
    np.testing.assert_array_equal(values, [[10, np.nan], [4, 4]])
    _, values = step_curves(study, results)["plain, real 5"]["1:15"]
    np.testing.assert_array_equal(values, [[99, 99], [10, np.nan]])
    metric_curves(step_curves(study, results), "steps", "error").draw_without_rendering()
    assert exchanges(study, results) == {}
    assert exchanges(study, results_of({**whole, "1:0, plain, 20": [lost, 8.0]})) == {}
    assert exchanges(study, results_of(whole)).keys() == {"plain"}


def test_curves_as_drawn():
    values = np.array([[1.0, 3.0], [5.0, 5.0]])
    panels = {"plain": {"a": ([1, 2], values), "b": ([1], values[:1])}, "augmented": {"b": ([1, 2], values[:, :1])}}
    figure = metric_curves(panels, "steps", "error")
    first, second = figure.axes
    assert first.get_lines()[0].get_ydata().tolist() == [2, 5]
    band = first.collections[0].get_paths()[0].vertices
    # 2 ± t(0.975, 1 degree) times the standard error 1
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-3)
    assert first.get_lines()[1].get_color() == second.get_lines()[0].get_color() != first.get_lines()[0].get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a (2 runs)", "b (1 to 2 runs)"]
    assert [axis.get_title() for axis in figure.axes] == ["plain", "augmented"]
    figure.draw_without_rendering()


@pytest.mark.parametrize(("counts", "scale"), [([5, 20], "linear"), ([5, 500], "symlog"), ([0, 5, 500], "symlog")])
def test_learning_curves_as_drawn(counts, scale):
    values = np.arange(2.0 * len(counts)).reshape(len(counts), 2)
    panels = {name: {"a": (counts, values)} for name in ("p", "q", "r")}
    figure = draw_learning(panels, "real", "error", {"p": (7.0, 1.0), "q": (np.inf, 1.0)})
    marked, never, plain = figure.axes
    assert marked.get_xscale() == scale
    assert marked.get_xticks().tolist() == counts
    assert [len(axis.get_lines()) for axis in (marked, never, plain)] == [3, 2, 1]
    assert marked.get_lines()[2].get_xdata() == [7, 7]
    figure.draw_without_rendering()
