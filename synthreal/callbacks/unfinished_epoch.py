"""Checkpoints of a training that stops within an epoch say so (Lightning's own say that the epoch is over)."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class UnfinishedEpoch(Callback):
    """Lets a training that `max_time`, `max_steps` or a signal ended within an epoch go on within it.

    Lightning counts the epoch as processed before the checkpoint at its end is written, also if it was cut short. The
    resumed run would take what is left of it for a new epoch: without the hooks that end one (validation, the update of
    P, schedules), and one epoch too few in all.
    """

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the epoch off those that are processed, if batches of it are missing."""
        fit = checkpoint["loops"]["fit_loop"]
        batch, epoch = fit["epoch_loop.batch_progress"], fit["epoch_progress"]
        cut_short = batch["current"]["ready"] and not batch["is_last_batch"]
        if cut_short and epoch["current"]["processed"] == epoch["current"]["started"]:
            for count in (epoch["total"], epoch["current"]):
                count["processed"] -= 1
