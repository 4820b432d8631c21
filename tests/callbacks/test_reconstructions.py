"""Figures of reconstructions and latent space: when, of what, and without a trace in the training."""

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from torch import nn

from synthreal.callbacks import DescriptorMaps, NoiseCurves, Reconstructions, reconstructions
from synthreal.datamodules import MixedDataModule
from synthreal.datamodules.foreground import Phase
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Glyphs
from synthreal.plots import image_rows
from tests.callbacks.figure_parts import Modes, figures
from tests.modules.gmcml_parts import CLASSES, Codes, data, gmcml, trainer

WIDTHS = {"image_size": 8, "widths": [4, 6]}


def coded(kind="VariationalCoder", **settings):
    latent = {"hidden": 10, "latent": 5} if kind == "VariationalCoder" else {}
    parts = {"reconstructor": f"synthreal.networks.{kind}", "reconstructor_args": {**WIDTHS, **latent}}
    return gmcml(**{**parts, "optimizer": "torch.optim.Adam", **settings})


def fit(module, callbacks, held=None, steps=10, ckpt_path=None, **settings):
    torch.manual_seed(5)
    options = {"logger": CSVLogger(".", name="", version="run"), "max_steps": steps, "log_every_n_steps": 5}
    loop = trainer(callbacks=callbacks, **{**options, **settings})
    loop.fit(module, datamodule=held or data(), ckpt_path=ckpt_path)
    return loop


def numbered(*steps):
    return [f"reconstructions_{step:06d}" for step in steps]


@pytest.fixture
def drawn(monkeypatch):
    """What each figure is drawn of."""
    seen = []
    monkeypatch.setattr(reconstructions, "image_rows", lambda panels: seen.append(panels) or image_rows(panels))
    return seen


@pytest.mark.parametrize(("every", "steps"), [(3, [3, 6, 9, 10]), (5, [5, 10]), (500, [10])])
def test_figures_every_so_many_steps_and_at_the_end(every, steps):
    fit(coded(), [Reconstructions(every)])
    assert figures() == ["latent_traversals", *numbered(*steps)]
    for name in figures():
        with Image.open(f"run/figures/{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5, "blank"


def test_batches_whose_gradients_accumulate_are_one_step(drawn):
    fit(coded(), [Reconstructions(2)], steps=4, accumulate_grad_batches=2)
    assert figures() == ["latent_traversals", *numbered(2, 4)]
    assert len(drawn) == 3


def test_a_resumed_run_goes_on(drawn):
    fit(coded(), [Reconstructions(4)], steps=4).save_checkpoint("four.ckpt")
    second = CSVLogger(".", name="", version="second")
    fit(coded(), [Reconstructions(4)], steps=9, ckpt_path="four.ckpt", logger=second)
    assert [next(iter(panels)) for panels in drawn if len(panels) == 1] == ["step 4", "step 8", "step 9"]


@pytest.mark.parametrize("settings", [{"logger": False}, {"fast_dev_run": 2}])
def test_nothing_is_kept_without_a_run_s_folder(settings):
    fit(coded(), [Reconstructions(1), DescriptorMaps(), NoiseCurves()], **settings)
    assert figures() == []


def test_training_is_the_same_with_all_figures():
    states, modes, random = [], [], []
    for number, drawing in enumerate(([], [Reconstructions(3), DescriptorMaps(), NoiseCurves()])):
        module, watch = coded(), Modes()
        run = CSVLogger(".", name="", version=f"run_{number}")
        fit(module, [*drawing, watch], logger=run)
        states.append(module.state_dict())
        modes.append(watch.seen)
        random.append(torch.get_rng_state())
    assert figures() == ["curves", "descriptors", "latent_traversals", *numbered(3, 6, 9, 10)]
    assert modes[0] == modes[1]
    assert torch.equal(*random)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_rows_are_images_of_the_last_phase_what_is_made_of_them_and_their_targets(drawn):
    last, held = Codes(poses=17), data(Phase(Codes(), 100), Phase(Codes(poses=17), 60))
    module = coded("FCN")
    fit(module, [Reconstructions(4, examples=7)], held, steps=6)
    (first, *_), (end,) = (list(panels.values()) for panels in drawn)
    assert list(end) == ["input", "reconstruction", "target"]
    assert torch.equal(first["input"], end["input"])
    with torch.no_grad():
        made = module.eval().network.reconstructor(end["input"]).image
    torch.testing.assert_close(end["reconstruction"], made, rtol=0, atol=1e-6)
    assert not torch.equal(first["reconstruction"], made)
    of_phase = last.generate(held.draws(1), torch.device("cpu"))
    for image, target in zip(end["input"], end["target"], strict=True):
        (row,) = (of_phase["image"] == image).flatten(1).all(1).nonzero()[:1, 0]
        assert torch.equal(of_phase["semantic"][row], target)
    labels = end["target"][:, :, 0, 0].argmax(1).tolist()
    assert labels == [0, 0, 0, 1, 1, 2, 2]
    assert len({tuple(image.flatten().tolist()) for image in end["input"]}) == 7


@pytest.mark.parametrize("examples", [1, 3, 30])
def test_classes_share_a_figure_evenly(examples, drawn):
    fit(coded("FCN"), [Reconstructions(9, examples)], steps=1)
    labels = drawn[0]["step 1"]["target"][:, :, 0, 0].argmax(1)
    assert torch.bincount(labels, minlength=3).tolist() == [-(-examples // 3), examples // 3, examples // 3]


def test_images_are_shown_as_validation_would_see_them(drawn):
    for name, steps in {"plain": (), "dark": [nn.Hardtanh(0, 0.5)]}.items():
        run = CSVLogger(".", name="", version=name)
        fit(coded(), [Reconstructions()], data(evaluation_transform=steps), steps=1, logger=run)
    plain, dark = (next(iter(panels.values())) for panels in drawn if "step 1" in panels)
    assert plain["input"].max() > 0.5
    assert torch.equal(dark["input"], plain["input"].clamp(0, 0.5))
    assert torch.equal(dark["target"], plain["target"])


@pytest.mark.parametrize("kind", ["FCN", "DeconvNet"])
def test_without_a_latent_there_are_no_traversals(kind):
    fit(coded(kind), [Reconstructions(9)], steps=2)
    assert figures() == numbered(2)


def test_without_a_reconstructor_there_is_a_warning_and_no_figure():
    module = gmcml(reconstructor=None)
    with pytest.warns(UserWarning, match="has no reconstructor: Reconstructions draws nothing"):
        fit(module, [Reconstructions(1)])
    assert figures() == []


def test_rows_of_traversals_are_the_class_centres_moved_along_the_latents_that_vary_most(drawn):
    module, held = coded(), data(gallery_size=7)
    fit(module, [Reconstructions(9)], held, steps=6)
    panels = drawn[-1]
    module.eval()
    seen = Codes().generate(held.gallery.draws, torch.device("cpu"))
    coder, label = module.network.reconstructor, seen["label"].numpy()
    with torch.no_grad():
        codes = coder(seen["image"]).mean.double().numpy()
    spread = codes.std(0)
    assert len(panels) == 2
    for dimension, (title, rows) in zip(np.argsort(-spread), panels.items(), strict=False):
        assert title == f"latent {dimension}, -3 to 3 standard deviations"
        assert list(rows) == list(CLASSES)
        for k, name in enumerate(CLASSES):
            assert rows[name].shape == (7, 3, 8, 8)
            for image, times in zip(rows[name], range(-3, 4), strict=True):
                code = codes[label == k].mean(0)
                code[dimension] += times * spread[dimension]
                with torch.no_grad():
                    wanted = coder.decode(torch.tensor(code[None], dtype=torch.float32))[0]
                torch.testing.assert_close(image, wanted, rtol=0, atol=1e-6)


def test_a_class_without_images_has_no_row_and_one_latent_makes_one_panel(drawn):
    torch.manual_seed(0)
    arguments = {**WIDTHS, "hidden": 10, "latent": 1}
    held = data(gallery_size=2)
    fit(coded(reconstructor_args=arguments), [Reconstructions(9)], held, steps=1)
    (rows,) = drawn[-1].values()
    labels = held.gallery.draws["parameters"][:, 0].int().unique().tolist()
    assert len(labels) < len(CLASSES)
    assert list(rows) == [CLASSES[label] for label in labels]


@pytest.mark.parametrize(("every", "examples"), [(0, 16), (500, 0)])
def test_numbers_are_at_least_one(every, examples):
    with pytest.raises(ConfigError, match=f"every and examples are at least 1, not {every} and {examples}"):
        Reconstructions(every, examples)


def test_other_data_are_refused():
    mixed = MixedDataModule(Digits(16, 200), Glyphs(16), batch_size=8)
    with pytest.raises(ConfigError, match=r"Reconstructions follows a GMCML on a Fore.*, not a GMCML on a Mixed"):
        fit(gmcml(), [Reconstructions()], mixed)
