"""How long a trainer trains a GAN of several stages."""

import math

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn

from synthreal.modules.gan_schedule import GanSchedule


def warn_of_early_stop(trainer: Trainer, schedule: GanSchedule, batches: int) -> None:
    """Warns if the trainer stops before the schedule ends.

    Args:
        trainer: Starts to train, so it knows how long its epochs are.
        schedule: Of the GAN.
        batches: Number of batches that training has had.
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return
    left, steps = schedule.batches - batches, schedule.steps(schedule.batches) - schedule.steps(batches)
    given = math.inf if trainer.max_epochs in (None, -1) else trainer.max_epochs * trainer.num_training_batches
    given -= trainer.fit_loop.total_batch_idx + 1
    if given < left or 0 <= trainer.max_steps < trainer.global_step + steps:
        rank_zero_warn(
            f"The trainer stops before the last of {schedule.stages} stages is trained. Set max_epochs=-1 and "
            f"max_steps=-1: MrGAN ends by itself, after {schedule.steps_per_stage} optimiser steps a stage."
        )
