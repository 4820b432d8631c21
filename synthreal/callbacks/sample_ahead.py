"""SampleAhead (sec. 3.2): re-estimate each bucket's difficulty on probes every epoch, then change P."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from synthreal.callbacks.records import BucketRecord, run_folder
from synthreal.datamodules import BucketDataModule
from synthreal.errors import ConfigError
from synthreal.networks.modes import evaluating
from synthreal.samplers import UpdateRule
from synthreal.samplers.difficulty import bucket_means, kernel_difficulty, probe_difficulty

_SMALL_SHARE = 0.1


class SampleAhead(Callback):
    """After each epoch: probe pass, difficulty of every bucket, new P for the next epoch's draws.

    Logs `sampler/difficulty`, `sampler/effective_share`, `sampler/largest_ratio` and `sampler/beta` each epoch, and
    keeps difficulty and P of every bucket, with figures, in the run's folder and in every logger that takes images.

    Args:
        alpha: Weight of P0 in Eq. 7, 0 to 1; 1 is the uniform baseline.
        beta: Sharpness β of Eq. 7, at least 0, or "auto" (see `UpdateRule`). The paper gives no value.
        form: "mixture", or "printed" for the paper's literal Eq. 7.
        share: Effective share of the buckets that `beta="auto"` keeps, in (0, 1].
        difficulty: "hard" (wrong or right) or "soft" (1 - probability of the true class).
        estimator: "bucket" (mean over a bucket's probes, Eq. 5) or "kernel" (all probes by inverse distance, Eq. 1).
        warmup_steps: Optimiser steps during which P stays P0. The paper's pose task has 8,000.
        figures: Draw figures when training ends.

    Raises:
        ConfigError: If a setting is out of range, or the datamodule has no buckets or no probes.
    """

    def __init__(
        self,
        alpha: float = 0.0,
        beta: float | Literal["auto"] = "auto",
        form: Literal["mixture", "printed"] = "mixture",
        share: float = 0.5,
        difficulty: Literal["hard", "soft"] = "hard",
        estimator: Literal["bucket", "kernel"] = "bucket",
        warmup_steps: int = 0,
        figures: bool = True,
    ) -> None:
        self.rule = UpdateRule(alpha, beta, form, share)
        if warmup_steps < 0:
            raise ConfigError(f"warmup_steps is at least 0, not {warmup_steps}.")
        self.difficulty, self.estimator = difficulty, estimator
        self.warmup_steps, self.figures = warmup_steps, figures
        self._epochs = 0
        self._resumed_step = 0
        self._record: BucketRecord | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Starts counting epochs anew; a checkpoint is loaded after this."""
        if stage == "fit":
            self._epochs = 0

    def state_dict(self) -> dict[str, Any]:
        """Returns the number of epochs that P has been updated after."""
        return {"epochs": self._epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores that number."""
        self._epochs = state_dict["epochs"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keeps the step of the checkpoint, which the trainer itself restores only later."""
        self._resumed_step = checkpoint["global_step"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks the datamodule, and makes up for an update that a checkpoint on an epoch's last batch lacks.

        Lightning resumes such a checkpoint with the next epoch, without the hooks that end this one. It has to happen
        here: the next epoch's draws are made right after.
        """
        data = self._data(trainer)
        held = torch.bincount(data.probes.bucket, minlength=data.generator.space.num_buckets) > 0
        if not bool(held.all()) and self.estimator == "bucket":
            rank_zero_warn(
                f"{int((~held).sum())} of {len(held)} buckets have no probe and take the mean difficulty of their "
                "class. Raise num_probes, or set estimator to 'kernel'."
            )
        trial = bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
        folder = None if trial else run_folder(trainer)
        self._record = BucketRecord(folder if trainer.is_global_zero else None, data.generator.space)
        if data.finished_epochs > self._epochs:
            self._update(trainer, pl_module, self._resumed_step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Updates P and logs what came of it, unless training stops within the epoch: it may go on from there.

        Resumed at an epoch's end, Lightning calls this twice for that epoch.
        """
        if not trainer.is_last_batch or self._data(trainer).finished_epochs == self._epochs:
            return
        for name, value in self._update(trainer, pl_module, trainer.global_step).items():
            pl_module.log(f"sampler/{name}", value, sync_dist=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the figures."""
        if self.figures and self._record is not None:
            self._record.draw(trainer.loggers)

    def _data(self, trainer: Trainer) -> BucketDataModule:
        data: object = getattr(trainer, "datamodule", None)
        if not isinstance(data, BucketDataModule):
            raise ConfigError(f"SampleAhead needs a BucketDataModule, not {type(data).__name__}.")
        if not data.probes.count:
            raise ConfigError("SampleAhead needs probes: set data.num_probes to at least 1, 100 a bucket in the paper.")
        return data

    def _update(self, trainer: Trainer, module: LightningModule, step: int) -> dict[str, float]:
        data = self._data(trainer)
        difficulty = self.estimate(trainer, module)
        beta = 0.0
        if step >= self.warmup_steps:
            data.distribution.probability, beta = self.rule(data.distribution.prior, difficulty)
        self._epochs = data.finished_epochs
        if self._record is not None:
            self._record.add(self._epochs, difficulty, data.distribution.probability)
        share = data.distribution.effective_share
        if share < _SMALL_SHARE:
            rank_zero_warn(
                f"P has collapsed: only {100 * share:.1f} % of the buckets are effectively drawn after epoch "
                f"{self._epochs}. Lower beta, raise alpha, or set beta to 'auto'."
            )
        mean = float((difficulty * data.distribution.prior).sum())
        ratio = data.distribution.largest_ratio
        return {"difficulty": mean, "effective_share": share, "largest_ratio": ratio, "beta": beta}

    def estimate(self, trainer: Trainer, module: LightningModule) -> Float[Tensor, " k"]:
        """Runs the probe pass on every process and returns the difficulty of each bucket, on the CPU."""
        data = self._data(trainer)
        probes, space = data.probes, data.generator.space
        values = self._probe_pass(trainer, module, data)
        if self.estimator == "kernel":
            return kernel_difficulty(space.embed(space.centres()), probes.coordinates, values)
        total = torch.zeros(space.num_buckets, dtype=torch.float64).index_add_(0, probes.bucket, values)
        return bucket_means(total, torch.bincount(probes.bucket, minlength=space.num_buckets), space.shape[0])

    def _probe_pass(self, trainer: Trainer, module: LightningModule, data: BucketDataModule) -> Float[Tensor, " m"]:
        """Difficulty of each probe. Each process fills in its share, and the sum over processes is the whole."""
        values = torch.zeros(data.probes.count, device=module.device)
        if trainer.world_size > 1:  # batch norm's statistics differ since the last step: all take those that are saved
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)
        with evaluating(module), torch.inference_mode(), trainer.precision_plugin.forward_context():
            share = trainer.global_rank, trainer.world_size
            for index, batch in data.probes.batches(module.device, data.eval_batch_size, *share):
                values[index] = probe_difficulty(module(batch["image"]), batch["label"], self.difficulty)
        return trainer.strategy.reduce(values, reduce_op="sum").double().cpu()
