"""Schedules that follow the validation."""

import pytest
from torch.utils.data import DataLoader

from synthreal.errors import ConfigError
from tests.modules import gmcml_parts
from tests.modules.classifier_parts import batch_of, classifier
from tests.trainer_parts import quiet_trainer

pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")

PLATEAU = {"schedule": "torch.optim.lr_scheduler.ReduceLROnPlateau", "schedule_args": {"patience": 0, "factor": 0.1}}


def fit(module, validated=True, **settings):
    loader = DataLoader([batch_of(seed=seed) for seed in range(2)], batch_size=None)
    trainer = quiet_trainer(max_epochs=3, num_sanity_val_steps=0, **settings)
    trainer.fit(module, loader, loader if validated else None)
    return trainer.optimizers[0].param_groups[0]["lr"]


def test_a_plateau_lowers_the_rate():
    still = classifier(optimizer_args={"lr": 1e-12}, **PLATEAU)
    assert fit(still) == pytest.approx(1e-14)  # the first epoch sets the mark, two do not get below it


@pytest.mark.parametrize("settings", [{"validated": False}, {"check_val_every_n_epoch": 2}, {"limit_val_batches": 0}])
def test_a_plateau_without_a_validation_is_refused_before_the_first_step(settings):
    module = classifier(**PLATEAU)
    before = module.network.layer.weight.clone()
    with pytest.raises(ConfigError, match="follows val/loss each epoch: hold out validation images"):
        fit(module, **settings)
    assert module.network.layer.weight.equal(before)
    with pytest.raises(ConfigError, match="follows val/loss"):
        gmcml_parts.trainer(max_epochs=1).fit(gmcml_parts.gmcml(**PLATEAU), datamodule=gmcml_parts.data())


def test_a_schedule_that_undoes_the_rate_of_biases_is_refused():
    cycle = {"schedule": "torch.optim.lr_scheduler.OneCycleLR", "schedule_args": {"max_lr": 0.1, "total_steps": 9}}
    with pytest.raises(ConfigError, match="OneCycleLR sets the learning rate of biases itself"):
        fit(classifier(bias_rate=2.0, **cycle), validated=False)
    fit(classifier(**cycle), validated=False)


def test_other_schedules_need_no_validation():
    halved = classifier(
        optimizer_args={"lr": 1.0},
        schedule="torch.optim.lr_scheduler.StepLR",
        schedule_args={"step_size": 6, "gamma": 0.5},
    )
    assert fit(halved, validated=False) == 0.5
