"""Optimisers and schedules by class path."""

import math
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from synthreal.components import build
from synthreal.errors import ConfigError


def build_optimization(network: nn.Module, settings: Mapping[str, Any], bias_rate: float = 1.0) -> OptimizerLRScheduler:
    """Returns what `configure_optimizers` is to return.

    Args:
        network: What is trained.
        settings: Hyperparameters: optimizer, optimizer_args, schedule, schedule_args, schedule_interval; see
            `Classifier`.
        bias_rate: Factor on the learning rate of biases.

    Raises:
        ConfigError: If a class path or an argument does not exist, or the schedule undoes `bias_rate`.
    """
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    others = [p for name, p in network.named_parameters() if not name.endswith("bias")]
    optimizer = build(settings["optimizer"], Optimizer, settings["optimizer_args"] or {}, [{"params": others}])
    optimizer.add_param_group({"params": biases, "lr": optimizer.defaults["lr"] * bias_rate})
    if settings["schedule"] is None:
        return optimizer
    schedule = build(settings["schedule"], LRScheduler, settings["schedule_args"] or {}, optimizer)
    _check_bias_rate(optimizer, bias_rate, settings["schedule"])
    if isinstance(schedule, ReduceLROnPlateau):
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "val/loss"}}
    interval = settings["schedule_interval"]
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": interval}}


def _check_bias_rate(optimizer: Optimizer, bias_rate: float, schedule: str) -> None:
    """Some schedules set the rates of all groups themselves, OneCycleLR for one."""
    others, biases = (group["lr"] for group in optimizer.param_groups)
    if not math.isclose(biases, bias_rate * others, rel_tol=1e-6):
        raise ConfigError(f"{schedule} sets the learning rate of biases itself: leave bias_rate at 1, not {bias_rate}.")


def require_validation(trainer: Trainer) -> None:
    """Checks, before the first step, that a schedule which follows `val/loss` each epoch will find one.

    Raises:
        ConfigError: If there are no validation batches, or not after each epoch.
    """
    if not any(config.reduce_on_plateau for config in trainer.lr_scheduler_configs):
        return
    if not sum(trainer.num_val_batches) or trainer.check_val_every_n_epoch != 1:
        raise ConfigError(
            "ReduceLROnPlateau follows val/loss each epoch: hold out validation images (validation_per_class) and "
            "validate after every epoch, or take another schedule."
        )
