"""What a GM-CML refuses: settings out of range, strategies that would wait, losses that are no numbers."""

import math
from pathlib import Path

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from synthreal.errors import ConfigError, TrainingError
from tests.modules.gmcml_parts import data, gmcml, trainer


@pytest.mark.parametrize("weight", ["reconstruction_weight", "pair_weight", "triplet_weight", "softmax_weight"])
def test_weights_below_0_are_refused(weight):
    with pytest.raises(ConfigError, match="at least 0"):
        gmcml(**{weight: -0.1})
    with pytest.raises(ConfigError, match="at least 0"):
        gmcml(**{weight: math.nan})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_classes": 1}, "at least 2 classes"),
        ({"reconstructor": "torch.nn.Linear"}, "not a subclass of .*Reconstructor"),
        ({"reconstructor_args": {"depth": 3}}, "unexpected keyword argument 'depth'"),
        ({"classifier": "synthreal.networks.Nothing"}, "Nothing at class path"),
        ({"optimizer_args": {"rate": 3}}, "rate"),
        ({"alpha": -0.1}, "alpha and beta are at least 0"),
        ({"beta": math.nan}, "alpha and beta are at least 0"),
        ({"margin": 0.0}, "margin is above 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        gmcml(**settings)


def test_a_loss_that_is_no_number_stops_training():
    module = gmcml(optimizer_args={"lr": 1e30})
    with pytest.raises(TrainingError, match="Lower the learning rate"):
        trainer(max_steps=20).fit(module, datamodule=data())


@pytest.mark.parametrize("every", [0, 100])
def test_a_broken_model_is_not_checkpointed(every):
    run = trainer(
        max_epochs=2, log_every_n_steps=every, enable_checkpointing=True, callbacks=[ModelCheckpoint("saved")]
    )
    with pytest.raises(TrainingError, match="The last checkpoint is sound"):
        run.fit(gmcml(optimizer_args={"lr": 1e30}), datamodule=data())
    assert not list(Path("saved").glob("*.ckpt"))


class Break(Callback):
    """Spoils a weight after two steps."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 2:
            next(pl_module.parameters()).data[0] = math.nan


def test_a_broken_model_is_not_checkpointed_in_the_middle_of_an_epoch():
    every_step = ModelCheckpoint("saved", "{step}", save_top_k=-1, every_n_train_steps=1)
    run = trainer(max_epochs=2, enable_checkpointing=True, callbacks=[Break(), every_step])
    with pytest.raises(TrainingError, match="are no numbers at step 2"):
        run.fit(gmcml(), datamodule=data())
    assert [path.stem for path in Path("saved").iterdir()] == ["step=1"]


def test_plain_data_parallel_training_without_softmax_is_refused():
    module = gmcml(softmax_on_sets=False)
    module.trainer = trainer(strategy="ddp", devices=2)
    with pytest.raises(ConfigError, match="ddp_find_unused_parameters_true"):
        module.on_fit_start()
    module.trainer = trainer(strategy="ddp_find_unused_parameters_true", devices=2)
    module.on_fit_start()
    module = gmcml()
    module.trainer = trainer(strategy="ddp", devices=2)
    module.on_fit_start()
