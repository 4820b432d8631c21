"""Figures of what an MrGAN makes: when, of what, and without a trace in the training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from PIL import Image

from synthreal.callbacks import RefinedImages, refined_images
from synthreal.datamodules import MixedDataModule, UnpairedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Glyphs
from synthreal.modules import Classifier
from synthreal.plots import image_rows
from tests.callbacks.figure_parts import Modes, figures
from tests.modules.mrgan_parts import mrgan, quiet

PER_STAGE = 5  # batches


def short_mrgan(stages=("r-s", "rr-rs")):
    return mrgan(stages, iterations=1, decay_from=0, generator_rate=1e-2)


def digits():
    return UnpairedDataModule(Digits(8, 200), Glyphs(8), batch_size=4, steps_per_epoch=4, seed=1)


def fit(module, data=None, callbacks=(), **settings):
    torch.manual_seed(3)
    options = {"logger": CSVLogger(".", name="", version="run"), "log_every_n_steps": 100, **settings}
    trainer = quiet(callbacks=list(callbacks), **options)
    trainer.fit(module, datamodule=data or digits())
    return trainer


@pytest.mark.parametrize(("every", "batches"), [(3, [3, 6, 9, 10]), (5, [5, 10]), (10, [10]), (1000, [10])])
def test_figures_every_so_many_batches_and_at_the_end(every, batches):
    fit(short_mrgan(), callbacks=[RefinedImages(every)])
    assert figures() == [f"refined_{number:06d}" for number in batches]
    assert Path("run/figures/refined_000010.png").is_file()
    with Image.open("run/figures/refined_000010.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5, "blank"


@pytest.mark.parametrize("settings", [{"logger": False}, {"fast_dev_run": 2}])
def test_nothing_is_kept_without_a_run_s_folder(settings):
    fit(short_mrgan(), callbacks=[RefinedImages(1)], **settings)
    assert figures() == []


def test_training_is_the_same_with_figures():
    states, modes = [], []
    for number, drawing in enumerate(([], [RefinedImages(3)])):
        module, watch = short_mrgan(), Modes()
        run = CSVLogger(".", name="", version=f"run_{number}")
        fit(module, callbacks=[*drawing, watch], logger=run)
        states.append(module.state_dict())
        modes.append(watch.seen)
    assert len(figures()) == 4
    assert modes[0] == modes[1]
    for name, value in states[0].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, states[1][name]), f"{name} differs"
        else:
            assert torch.equal(value["images"], states[1][name]["images"]), f"{name} differs"


@pytest.mark.parametrize("stages", [("r-s", "rr-rs"), ("r-s", "r-rs"), ("r-s", "rr-s")])
def test_rows_are_the_examples_after_each_stage_and_mapped_back(stages, monkeypatch):
    drawn = []
    monkeypatch.setattr(refined_images, "image_rows", lambda panels: drawn.append(panels) or image_rows(panels))
    module, data = short_mrgan(stages), digits()
    fit(module, data, callbacks=[RefinedImages(PER_STAGE)])
    first, last = drawn
    assert list(first) == list(last) == ["synthetic to real", "real to synthetic"]
    assert all(list(panel) == ["input", "stage 1", "back"] for panel in first.values())
    assert all(list(panel) == ["input", "stage 1", "stage 2", "back"] for panel in last.values())
    real, synthetic = data.examples["image"].chunk(2)
    one, two = module.eval().refiner.stages
    with torch.no_grad():
        rows = [synthetic, one.to_real(synthetic)]
        rows += [two.to_real(synthetic if stages[1] == "rr-s" else rows[1])]
        rows += [two.to_synthetic(rows[2])]
        for found, wanted in zip(last["synthetic to real"].values(), rows, strict=True):
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
        rows = [real, one.to_synthetic(real)]
        rows += [two.to_synthetic(real if stages[1] == "r-rs" else rows[1])]
        rows += [two.to_real(rows[2])]
        for found, wanted in zip(last["real to synthetic"].values(), rows, strict=True):
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
        # the first stage has not changed since
        for found, wanted in zip(first["real to synthetic"].values(), [*rows[:2], one.to_real(rows[1])], strict=True):
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("every", [0, -5])
def test_figures_are_at_least_a_batch_apart(every):
    with pytest.raises(ConfigError, match=f"every is at least 1, not {every}"):
        RefinedImages(every)


def test_other_modules_and_other_data_are_refused():
    mixed = MixedDataModule(Digits(16, 200), Glyphs(16), batch_size=8)
    with pytest.raises(ConfigError, match="not a MrGAN of a MixedDataModule's"):
        fit(short_mrgan(), mixed, callbacks=[RefinedImages()])
    with pytest.raises(ConfigError, match="not a Classifier of a MixedDataModule's"):
        fit(Classifier(network_args={"image_size": 16}), mixed, callbacks=[RefinedImages()])


# The figure itself


def rows_of(*values, channels=1):
    """A row whose images have these brightnesses, 3 × 5 pixels."""
    return torch.tensor(values)[:, None, None, None].expand(-1, channels, 3, 5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_panel_has_its_rows_under_each_other(channels):
    panels = {
        "there": {"input": rows_of(0.0, 0.2, channels=channels), "out": rows_of(0.4, 1.7, channels=channels)},
        "back": {"input": rows_of(0.6, 0.8, channels=channels)},
    }
    figure = image_rows(panels)
    assert [axis.get_title() for axis in figure.axes] == ["there", "back"]
    for axis, wanted in zip(figure.axes, ([[0.0, 0.2], [0.4, 1.0]], [[0.6, 0.8]]), strict=True):
        shown = np.asarray(axis.images[0].get_array())
        assert shown.shape == (4 * len(wanted) + 1, 13, 3)
        np.testing.assert_allclose(shown[2::4, 3::6, 0], wanted, atol=1e-6)
        np.testing.assert_allclose(shown[::4], 0.5)
    labels = [[label.get_text() for label in axis.get_yticklabels()] for axis in figure.axes]
    assert labels == [["input", "out"], ["input"]]
    assert figure.axes[0].get_yticks().tolist() == [2, 6]
