"""Curves of a run against its CSV log, through a resume, and the figure itself."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from synthreal.callbacks import NoiseCurves, RandomState, noise_curves
from synthreal.datamodules.foreground import Phase
from synthreal.errors import ConfigError
from synthreal.modules import Classifier
from synthreal.plots import noise_curves as figure_of
from tests.modules.gmcml_parts import Codes, data, gmcml, trainer

NOISE = {"r": "variance_ratio", "R_rec": "noise_reconstruction", "R_cls": "noise_classification"}
TERMS = ["loss", "reconstruction", "kl", "pair", "triplet", "softmax"]


@pytest.fixture
def drawn(monkeypatch):
    """What each figure is drawn of."""
    seen = []
    monkeypatch.setattr(noise_curves, "noise_curves", lambda *given: seen.append(given) or figure_of(*given))
    return seen


def fit(module=None, held=None, steps=12, run="run", callbacks=(), ckpt_path=None, **settings):
    torch.manual_seed(5)
    options = {"logger": CSVLogger(".", name="", version=run), "max_steps": steps, "log_every_n_steps": 2}
    loop = trainer(callbacks=[*callbacks, NoiseCurves(), RandomState()], **{**options, **settings})
    loop.fit(module or gmcml(), datamodule=held or data(), ckpt_path=ckpt_path)
    return loop


def logged(name, run="run"):
    """Points of the CSV log, which counts steps from 0."""
    table = pd.read_csv(Path(run) / "metrics.csv")[["step", f"train/{name}"]].dropna().to_numpy(np.float64)
    return table + np.array([1, 0])


def test_lines_are_what_was_logged(drawn):
    fit()
    ((noise, losses),) = drawn
    assert [name.split(",")[0] for name in noise] == list(NOISE)
    for points, name in zip(noise.values(), NOISE.values(), strict=True):
        np.testing.assert_allclose(points, logged(name), rtol=1e-6)
    assert list(losses) == TERMS
    for name, points in losses.items():
        assert points[:, 0].tolist() == [2, 4, 6, 8, 10, 12]
        np.testing.assert_allclose(points, logged(name), rtol=1e-6)
    assert Path("run/figures/curves.png").is_file()


def test_a_term_is_left_out_where_it_is_none(drawn):
    phases = Phase(Codes(), 100, epochs=1), Phase(Codes(), 100, sets=False)  # of 4 steps; no sets after them
    fit(held=data(*phases))
    ((_, losses),) = drawn
    counts = {name: len(points) for name, points in losses.items()}
    assert counts == {**dict.fromkeys(TERMS, 6), "pair": 2, "triplet": 2}
    assert losses["pair"][:, 0].tolist() == [2, 4]


def test_without_adaptive_noise_there_are_losses_alone(drawn):
    fit(gmcml(adaptive_noise=False, pair_weight=0))
    ((noise, losses),) = drawn
    assert noise == {}
    assert list(losses) == TERMS


def test_batches_whose_gradients_accumulate_are_one_step_and_looked_at_once(drawn, monkeypatch):
    seen = []
    monkeypatch.setattr(noise_curves, "math", SimpleNamespace(isnan=lambda value: seen.append(value) or value != value))
    fit(steps=5, accumulate_grad_batches=3)
    ((noise, losses),) = drawn
    np.testing.assert_array_equal(losses["loss"][:, 0], [2, 4])
    assert len(seen) == 2 * (len(noise) + len(losses))


def test_a_step_is_over_once_all_its_batches_are(drawn):
    fit(steps=3, accumulate_grad_batches=3, log_every_n_steps=1)
    ((_, losses),) = drawn
    for name, points in losses.items():
        np.testing.assert_allclose(points, logged(name), rtol=1e-6)


@pytest.mark.parametrize("stopped", [5, 6])
def test_a_resumed_run_draws_all_of_it(stopped, drawn):
    fit(run="whole")
    fit(run="first", steps=stopped).save_checkpoint("part.ckpt")
    torch.load("part.ckpt", weights_only=True)
    fit(run="second", ckpt_path="part.ckpt")
    whole, _, resumed = drawn
    for one, other in zip(whole, resumed, strict=True):
        assert list(one) == list(other)
        for name, points in one.items():
            np.testing.assert_array_equal(points, other[name])


def test_another_run_begins_anew(drawn):
    callback = NoiseCurves()
    for run in ("first", "second"):
        loop = trainer(
            callbacks=[callback],
            max_steps=4 if run == "first" else 2,
            logger=CSVLogger(".", name="", version=run),
            log_every_n_steps=1,
        )
        loop.fit(gmcml(), datamodule=data())
    assert [len(losses["loss"]) for _, losses in drawn] == [4, 2]


@pytest.mark.parametrize("every", [0, 4])
def test_nothing_was_logged(every, drawn):
    fit(steps=3, log_every_n_steps=every)
    assert drawn == []
    assert not list(Path().rglob("*.png"))


def test_another_module_is_refused():
    with pytest.raises(ConfigError, match="NoiseCurves follows a GMCML, not a Classifier"):
        fit(Classifier(network_args={"image_size": 16}))


# The figure itself


def line_of(axis, label):
    (line,) = (line for line in axis.get_lines() if line.get_label() == label)
    return np.stack(line.get_data(), 1)


def test_noise_on_the_left_and_losses_on_a_logarithmic_axis():
    noise = {"r": np.array([[1.0, 0.2], [2.0, 1.4]])}
    losses = {"kl": np.array([[1.0, 100.0], [2.0, 1.0]]), "triplet": np.array([[1.0, 2.0], [2.0, 0.0]])}
    left, right = figure_of(noise, losses).axes
    assert (left.get_yscale(), right.get_yscale()) == ("linear", "log")
    np.testing.assert_array_equal(line_of(left, "r"), noise["r"])
    for name, points in losses.items():
        np.testing.assert_array_equal(line_of(right, name), points)


def test_losses_alone():
    (axis,) = figure_of({}, {"kl": np.array([[1.0, 100.0]])}).axes
    assert axis.get_ylabel() == "loss"


def test_losses_that_are_all_zero_have_a_plain_axis():
    (axis,) = figure_of({}, {"triplet": np.zeros((3, 2))}).axes
    assert axis.get_yscale() == "linear"
