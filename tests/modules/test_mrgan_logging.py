"""Losses that an MrGAN writes in training, and its scores in validation and test."""

import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from synthreal.datasets import Digits
from synthreal.errors import TrainingError
from synthreal.generators import Glyphs
from tests.modules.mrgan_parts import batches, digits, fit, loader, mrgan, quiet, rows

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


def test_losses_are_written_where_there_are_any():
    fit(mrgan(), batches(14), logger=CSVLogger(".", name="", version="run"), log_every_n_steps=1)
    table = rows("run")
    assert table["step"].tolist() == list(range(14))
    assert table["train/stage"].tolist() == [1] * 7 + [2] * 7
    assert table["train/iteration"].tolist() == [0, 1, 0, 0, 0, 1, 1] * 2
    # an earlier value must not stand for one that there is not
    present = {name: table[f"train/{name}"].notna().astype(int).tolist() for name in ("generator", "cycle")}
    assert present == {name: [0, 0, 0, 1, 1, 1, 1] * 2 for name in ("generator", "cycle")}
    assert table["train/discriminator"].notna().astype(int).tolist() == [0, 0, 1, 0, 1, 0, 1] * 2
    assert table["train/identity"].notna().astype(int).tolist() == [1, 1, 0, 0, 0, 0, 0] * 2


def test_every_few_batches_and_the_last_are_written():
    logs = {"logger": CSVLogger(".", name="", version="run"), "log_every_n_steps": 4}
    fit(mrgan(), batches(14), **logs)
    table = rows("run")
    assert table["step"].tolist() == [3, 7, 11, 13]
    assert table["train/iteration"].tolist() == [0, 0, 0, 1]
    assert table["train/discriminator"].notna().tolist() == [False, False, True, True]


@pytest.mark.filterwarnings("ignore:.*is not resumable")
@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_a_resumed_run_writes_on_at_the_same_batches():
    made = {"train_dataloaders": loader(batches(4)), "val_dataloaders": []}
    for steps, resume in ((8, None), (16, "first.ckpt")):
        logs = {"logger": CSVLogger(".", name="", version=f"to_{steps}"), "log_every_n_steps": 2}
        saved = {"enable_checkpointing": True, "callbacks": [ModelCheckpoint(".", "first")]}
        quiet(max_steps=steps, **logs, **saved).fit(mrgan(), **made, ckpt_path=resume)
    assert [rows(f"to_{steps}")["step"].tolist() for steps in (8, 16)] == [[1, 3, 5], [7, 9, 11]]


@pytest.mark.filterwarnings("ignore:.*barebones.*")
@pytest.mark.parametrize("settings", [{"log_every_n_steps": 0}, {"barebones": True, "logger": None}])
def test_nothing_is_written_if_nothing_is_asked_for(settings):
    options = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing"), None)
    module = mrgan()
    fit(module, batches(14), **(options if "barebones" in settings else {}), **settings)
    assert module.batches == 14


def test_a_loss_that_is_no_number_stops_training():
    made = batches(14)
    made[5]["image"][:] = math.nan
    with pytest.raises(TrainingError, match=r"The generator loss is nan in stage 1, iteration 1\. Lower"):
        fit(mrgan(), made, log_every_n_steps=1)


@pytest.mark.parametrize("every", [0, 100])
def test_a_broken_model_is_not_checkpointed(every):
    made = batches(7)
    made[4]["image"][:] = math.nan  # the first stage's generators are broken from here on
    saver = ModelCheckpoint("saved")
    with pytest.raises(TrainingError, match=r"in stage 1, iteration 1\. .* The last checkpoint is sound"):
        fit(mrgan(), made, log_every_n_steps=every, enable_checkpointing=True, callbacks=[saver])
    assert not list(Path("saved").glob("*.ckpt"))


def score(module, image, real):
    """Change and cycle of the present stage, by hand."""
    stage = module.refiner.stages[module.stage]
    there, back = (stage.to_synthetic, stage.to_real) if real else (stage.to_real, stage.to_synthetic)
    side = image
    if module.stage:
        before = module.refiner.stages[0]
        side = before.to_synthetic(image) if real else before.to_real(image)
    return [float((there(side) - side).abs().mean()), float((back(there(side)) - side).abs().mean())]


@pytest.mark.filterwarnings("ignore:The trainer stops before")
@pytest.mark.parametrize("max_steps", [5, 18])
def test_scores_of_each_test_set(max_steps):
    module = mrgan()
    fit(module, batches(14), max_steps=max_steps)
    data = digits(tests={"plain": Glyphs(8, rotation=(0, 0)), "again": Digits(8, 1700)})
    trainer = quiet()
    trainer.test(module, datamodule=data, verbose=False)
    found, module = trainer.callback_metrics, module.eval()
    assert len(found) == 8
    for name, held in data.sets.items():
        image = held.batch(held.select(torch.arange(len(held))))["image"]
        with torch.no_grad():
            expected = score(module, image, name in ("real", "again"))
        assert [float(found[f"test/{name}/{kind}"]) for kind in ("change", "cycle")] == pytest.approx(
            expected, abs=1e-5
        )


def test_scores_of_both_domains_in_validation():
    module, data = mrgan(), digits(validation_per_class=2)
    trainer = quiet()
    trainer.validate(module, datamodule=data, verbose=False)
    module.eval()
    for name, held in zip(("real", "synthetic"), data.sets.values(), strict=True):
        image = held.batch(held.select(torch.arange(len(held))))["image"]
        with torch.no_grad():
            expected = score(module, image, name == "real")
        found = [float(trainer.callback_metrics[f"val/{name}/{kind}"]) for kind in ("change", "cycle")]
        assert found == pytest.approx(expected, abs=1e-5)
