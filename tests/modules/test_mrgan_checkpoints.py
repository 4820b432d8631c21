"""Checkpoints of an MrGAN: earlier stages taken over, runs that go on, loading from Python and a config."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from synthreal.datamodules import MixedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Glyphs, Refined
from synthreal.modules import Classifier, MrGAN
from synthreal.modules.gan_schedule import GanSchedule
from tests.modules.mrgan_parts import PER_STAGE, Watch, batches, differing, digits, fit, mrgan, quiet, rows, state

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


def trained_checkpoint(name="first.ckpt", stages=("r-s",), **settings):
    module = mrgan(stages, generator_rate=1e-2, **settings)
    fit(module, data=digits()).save_checkpoint(name)
    return module


def test_pretrained_stages_are_taken_over_and_the_next_is_trained():
    first, seen = trained_checkpoint(), []
    module = mrgan(pretrained="first.ckpt", generator_rate=1e-2)
    assert differing(state(first.refiner.stages[0]), state(module.refiner.stages[0])), "only fit reads it"
    trainer = fit(module, data=digits(), callbacks=[Watch(lambda _, trained: seen.append(trained.batches))])
    assert seen == list(range(PER_STAGE + 1, 2 * PER_STAGE + 1))
    assert trainer.global_step == 9
    assert not differing(state(first.refiner.stages[0]), state(module.refiner.stages[0]))
    fresh = mrgan()
    assert differing(state(fresh.refiner.stages[1]), state(module.refiner.stages[1]))


def test_pretrained_stages_leave_as_many_steps_as_are_needed():
    trained_checkpoint()
    fit(mrgan(pretrained="first.ckpt"), data=digits(), max_steps=9)
    fit(mrgan(pretrained="first.ckpt"), data=digits(), max_epochs=2)
    with pytest.warns(UserWarning, match="stops before the last"):
        fit(mrgan(pretrained="first.ckpt"), data=digits(), max_steps=8)


def test_after_pretrained_stages_losses_are_written_at_the_usual_batches():
    trained_checkpoint()
    logs = {"logger": CSVLogger(".", name="", version="run"), "log_every_n_steps": 3}
    fit(mrgan(pretrained="first.ckpt"), batches(PER_STAGE), **logs)
    table = rows("run")
    assert table["step"].tolist() == [2, 5, 6]
    assert table["train/stage"].tolist() == [2, 2, 2]
    assert table["train/iteration"].tolist() == [0, 1, 1]


@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_a_resumed_run_does_not_take_them_over_again():
    trained_checkpoint()
    settings = {"pretrained": "first.ckpt", "generator_rate": 1e-2}
    fit(mrgan(**settings), data=digits(), max_steps=4).save_checkpoint("half.ckpt")
    Path("first.ckpt").unlink()  # nobody reads it again
    again = mrgan(**settings)
    seen = []
    fit(again, data=digits(), resume="half.ckpt", callbacks=[Watch(lambda _, trained: seen.append(trained.batches))])
    assert seen == list(range(PER_STAGE + 5, 2 * PER_STAGE + 1))


@pytest.mark.parametrize(
    ("stages", "settings", "message"),
    [
        (["r-s"], {}, r"\['r-s'\] does not go on from there"),
        (["r-s", "rr-s"], {"generator": "c7s1-4,c7s1-1"}, "generators of other layers"),
        (["r-s", "rr-s"], {"pretrained": "none.ckpt"}, r"No checkpoint at none\.ckpt: pretrained names"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(stages, settings, message):
    mrgan_checkpoint = {"pretrained": "first.ckpt", **settings}
    trained_checkpoint()
    with pytest.raises(ConfigError, match=message):
        fit(mrgan(stages, **mrgan_checkpoint), data=digits())


@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_it_loads_from_python_as_it_was():
    module = mrgan(identity_weight=0.3)
    fit(module, data=digits(), max_steps=12).save_checkpoint("a.ckpt")
    loaded = MrGAN.load_from_checkpoint("a.ckpt")
    assert not differing(state(module), state(loaded))
    assert (loaded.batches, loaded.stage) == (module.batches, 1)
    assert loaded.hparams == module.hparams
    for mine, theirs in zip(module.judges, loaded.judges, strict=True):
        assert torch.equal(mine.real_pool.images, theirs.real_pool.images)


def test_another_module_s_checkpoint_is_no_start():
    module = Classifier(network_args={"image_size": 16})
    trainer = quiet(max_epochs=1, limit_train_batches=1)
    trainer.fit(module, datamodule=MixedDataModule(Digits(16, 200), Glyphs(16), batch_size=8))
    trainer.save_checkpoint("other.ckpt")
    with pytest.raises(ConfigError, match="none of an MrGAN"):
        fit(mrgan(), data=digits(), resume="other.ckpt")


CONFIG = """
seed_everything: 3
model:
  class_path: MrGAN
  init_args:
    stages: [r-s, rr-s]
    generator: c7s1-4,d8,R8,u4,c7s1-1
    discriminator: C4,C8
    in_channels: 1
    iterations: 2
    decay_from: 1
    generator_updates: 2
    pretrain_generators: 2
    pretrain_discriminators: 1
data:
  class_path: UnpairedDataModule
  init_args:
    dataset: {class_path: Digits, init_args: {image_size: 8, train_size: 200}}
    generator: {class_path: Glyphs, init_args: {image_size: 8}}
    batch_size: 4
    steps_per_epoch: 5
    test_size: 20
trainer: {max_epochs: -1, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""


def test_from_a_config_to_a_checkpoint_and_back(capsys):
    Path("gan.yaml").write_text(CONFIG)
    fitted = ExperimentCLI(["fit", "--config", "gan.yaml"])
    assert fitted.model.batches == 14
    best = fitted.trainer.checkpoint_callback.best_model_path
    tested = ExperimentCLI(["test", "--config", "gan.yaml", "--ckpt_path", best])
    assert not differing(state(fitted.model), state(tested.model))
    assert "test/synthetic/cycle" in tested.trainer.callback_metrics
    with pytest.raises(
        ConfigError, match=r"stages: \['r-s', 'rr-s'\] in the checkpoint, \['r-s', 'r-rs'\] in the config"
    ):
        ExperimentCLI(["test", "--config", "gan.yaml", "--model.stages=[r-s, r-rs]", "--ckpt_path", best])
    assert not differing(state(fitted.model), state(MrGAN.load_from_checkpoint(best)))


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
def test_every_checkpoint_says_how_far_training_is():
    saver = ModelCheckpoint(".", "{step}", save_top_k=-1, every_n_train_steps=1)
    fit(mrgan(), data=digits(), callbacks=[saver], enable_checkpointing=True)
    schedule = GanSchedule(2, 2, 1, 2, 2, 1)
    contents = {int(path.stem.partition("=")[2]): torch.load(path) for path in Path().glob("step=*.ckpt")}
    assert len(contents) == 14
    assert all(schedule.steps(content["batches"]) == step for step, content in contents.items())
    finished = {content["batches"]: content["finished_stages"] for content in contents.values()}
    assert finished == {**dict.fromkeys(range(1, 7), 0), **dict.fromkeys(range(7, 14), 1), 14: 2}


@pytest.mark.filterwarnings("ignore:The trainer stops before")
@pytest.mark.parametrize("weights_only", [False, True])
def test_stages_that_are_not_trained_are_neither_applied_nor_taken_over(weights_only):
    for steps, name in [(4, "inside_first.ckpt"), (9, "first.ckpt"), (12, "inside_second.ckpt"), (-1, "all.ckpt")]:
        fit(mrgan(), data=digits(), max_steps=steps).save_checkpoint(name, weights_only=weights_only)
    with pytest.raises(ConfigError, match=r"inside_first\.ckpt: 0 of 2 stages are trained: train on"):
        Refined(Glyphs(8), "inside_first.ckpt", stages=1)
    for name in ("first.ckpt", "inside_second.ckpt"):
        with pytest.raises(ConfigError, match=rf"{name}: 1 of 2 stages are trained: set stages to 1, or train on"):
            Refined(Glyphs(8), name)
        with pytest.raises(ConfigError, match=rf"{name}: 1 of 2 stages are trained"):
            fit(mrgan(["r-s", "rr-rs", "r-rs"], pretrained=name), data=digits())
        Refined(Glyphs(8), name, stages=1)
    Refined(Glyphs(8), "all.ckpt")
    fit(mrgan(["r-s", "rr-rs", "r-rs"], pretrained="all.ckpt"), data=digits())


def test_stages_that_were_taken_over_count_as_trained():
    trained_checkpoint()
    fit(mrgan(pretrained="first.ckpt"), data=digits()).save_checkpoint("both.ckpt")
    assert torch.load("both.ckpt")["finished_stages"] == 2


def test_a_callback_after_the_last_batch_saves_finished_stages():
    saved = []

    def save(trainer, module):
        trainer.save_checkpoint("now.ckpt")
        saved.append(torch.load("now.ckpt")["finished_stages"])

    fit(mrgan(), data=digits(), callbacks=[Watch(save)])
    assert saved == [0] * 6 + [1] * 7 + [2]
