"""MrGAN: stacked CycleGANs that bring synthetic and real images together."""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from synthreal.batch import Batch, Domain
from synthreal.errors import ConfigError
from synthreal.losses.adversarial import cycle_loss, identity_loss
from synthreal.modules.finite import require_finite, require_finite_weights
from synthreal.modules.gan_length import warn_of_early_stop
from synthreal.modules.gan_schedule import GanSchedule, Moment
from synthreal.modules.gan_state import State, average_statistics, gather_states, restore_state
from synthreal.modules.logged_steps import is_logged
from synthreal.modules.pairs import Judges, Pair, check_pairs, pair_of, translate, translation_losses
from synthreal.modules.scores import set_names
from synthreal.modules.unused_parameters import require_unused_parameters
from synthreal.networks.cyclegan import Norm
from synthreal.networks.refiner import Mapping, Refiner, take_over

_LOSSES = ("generator", "discriminator", "cycle", "identity")
_ADVICE = "Lower the learning rates, or take --trainer.precision=32-true."
_FLIP = 0.5  # above it more labels are wrong than right


class MrGAN(LightningModule):
    """N CycleGANs, trained one after the other in one `fit` (mixing-ratio and MrGAN paper, sec. 4, appendix 6 and 7).

    A batch holds real images first, then as many synthetic ones of the same classes. Each batch updates the generators
    of the stage that is being trained; the last of an iteration's batches updates its discriminators too. Earlier
    stages are fixed, batch norm included. Training ends by itself after the last stage. Logs `train/generator`,
    `train/discriminator`, `train/cycle` and `train/identity`, NaN where a batch has no such loss, and `train/stage` and
    `train/iteration`.

    Args:
        stages: What each stage maps: `r-s` first, then `rr-rs`, `r-rs` or `rr-s`.
        generator: Layers of the generators, in CycleGAN's notation.
        discriminator: Layers of the discriminators; `C64,C128` for CIFAR.
        in_channels: Channels of the images.
        norm: "batch" as the paper has it, or "instance" as CycleGAN has.
        iterations: Iterations of each stage.
        decay_from: Iteration from which the learning rates fall linearly to 0.
        generator_updates: Updates of the generators for one of the discriminators.
        pretrain_generators: Batches with L1 to the identity, before each stage.
        pretrain_discriminators: Batches with the adversarial loss, before each stage.
        generator_rate: Adam's learning rate for the generators.
        discriminator_rate: Adam's learning rate for the discriminators.
        cycle_weight: Weight of the cycle-consistency loss.
        identity_weight: Weight of L1 between an image and the refined one; 0.1 for CIFAR.
        flip_probability: Share of the labels that are flipped. The paper prints 0.9, which trains the discriminators
            backwards.
        pool_size: Generated images that each discriminator remembers.
        pretrained: Checkpoint of an MrGAN with the same networks whose stages come first in `stages`: they are taken
            over and not trained again.

    Raises:
        ConfigError: If a number is out of range, or the stages, the networks or the checkpoint do not fit together.

    Attributes:
        batches: Number of batches that training has had, which says where in `schedule` it is.
    """

    def __init__(
        self,
        stages: Sequence[Mapping] = ("r-s", "rr-rs"),
        generator: str = "c7s1-32,d64,d128,R128x9,u64,u32,c7s1-3",
        discriminator: str = "C64,C128,C256,C512",
        in_channels: int = 3,
        norm: Norm = "batch",
        iterations: int = 40_000,
        decay_from: int = 20_000,
        generator_updates: int = 5,
        pretrain_generators: int = 1000,
        pretrain_discriminators: int = 500,
        generator_rate: float = 2e-4,
        discriminator_rate: float = 1e-5,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.0,
        flip_probability: float = 0.1,
        pool_size: int = 50,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        stages = list(stages)
        _check(flip_probability, cycle_weight, identity_weight, generator_rate, discriminator_rate)
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.refiner = Refiner(stages, generator, in_channels, norm)
        self.judges = nn.ModuleList(Judges(discriminator, in_channels, norm, pool_size) for _ in stages)
        self.schedule = GanSchedule(
            len(stages), iterations, decay_from, generator_updates, pretrain_generators, pretrain_discriminators
        )
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.flip_probability = flip_probability
        self.rates = (generator_rate, discriminator_rate)
        self.batches = 0  # so many came before; on the host, for no step shall wait for the device
        self._entered: int | None = None  # the last stage that training came to
        self._last_losses: dict[str, Tensor] = {}
        self._test_sets: list[str] = []
        self._unread = pretrained
        self._states: list[State] | None = None  # of a checkpoint, until training goes on from it

    @property
    def stage(self) -> int:
        """The stage of the last training batch, from 0; the first one before any batch."""
        return self.schedule.at(max(self.batches - 1, 0)).stage

    def configure_optimizers(self) -> list[Optimizer]:
        """Returns two optimisers for each stage: generators, then discriminators."""
        parts = [part for pair in zip(self.refiner.stages, self.judges, strict=True) for part in pair]
        return [
            Adam(part.parameters(), rate, betas=(0.5, 0.999), fused=True)
            for part, rate in zip(parts, self.rates * self.schedule.stages, strict=True)
        ]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Saves how far training is, and the pools and statistics of each of several processes.

        Raises:
            TrainingError: If a loss or a weight is no number.
        """
        self._check_losses()
        require_finite_weights(self, f"after {self.batches} batches", _ADVICE)
        checkpoint["batches"], checkpoint["finished_stages"] = self.batches, self.schedule.at(self.batches).stage
        checkpoint["ranks"] = gather_states(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores it; `pretrained` is left alone from now on, for the checkpoint has what came after it.

        Raises:
            ConfigError: If the checkpoint is not one of an MrGAN.
        """
        if "batches" not in checkpoint:
            raise ConfigError("The checkpoint is none of an MrGAN: it does not say how far training is.")
        self.batches, self._unread, self._states = checkpoint["batches"], None, checkpoint.get("ranks", [])

    def on_fit_start(self) -> None:
        """Takes over the stages of `pretrained`, unless training goes on from a checkpoint, and checks the trainer.

        Raises:
            ConfigError: If the checkpoint does not fit, or the strategy would wait for gradients that never come.
        """
        if self._unread is not None:
            self.batches = self.schedule.batches_per_stage * take_over(self.refiner, self._unread)
            self._unread = None
        require_unused_parameters(self.trainer.strategy, "Each update of an MrGAN leaves parameters out")

    def on_train_start(self) -> None:
        """Warns if the trainer stops too early; now it knows how long epochs are, and where a resumed run goes on."""
        warn_of_early_stop(self.trainer, self.schedule, self.batches)

    def train(self, mode: bool = True) -> "MrGAN":
        """Sets training or evaluation mode; stages before the present one stay in evaluation mode."""
        super().train(mode)
        fixed = self._entered or 0
        for part in (*self.refiner.stages[:fixed], *self.judges[:fixed]):
            part.eval()
        return self

    def _enter(self, stage: int, batch: Batch) -> None:
        """Fixes the stages before, which must happen here: after DDP has wrapped the module, and after a resume."""
        check_pairs(batch)
        for number, parts in enumerate(zip(self.refiner.stages, self.judges, strict=True)):
            for part in parts:
                part.requires_grad_(number >= stage)
        if self._states is not None:
            restore_state(self, self._states, self.trainer)
            self._states = None
        self._entered = stage
        self.train()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the generators, the discriminators or both, whichever it is the time for."""
        moment = self.schedule.at(self.batches)
        if moment.stage == self.schedule.stages:  # a finished run was started again, or must go on till min_steps
            self.trainer.should_stop = True
            return
        if moment.stage != self._entered:
            self._enter(moment.stage, batch)
        generators, judges = self.refiner.stage(moment.stage), cast(Judges, self.judges[moment.stage])
        optimizers = self._optimizers(moment)
        sides = self._sides(pair_of(batch), moment.stage)
        losses: dict[str, Tensor] = {}
        if moment.phase == "discriminator":
            with torch.no_grad():
                made = translate(generators, sides)
        else:
            judges.requires_grad_(False)
            made = translate(generators, sides)
            losses = self._generator_losses(moment, sides, made)
            self._update(optimizers[0], self._weighted(losses))
            judges.requires_grad_(True)
        if moment.update_discriminators:
            losses["discriminator"] = judges.loss(sides, made, self.flip_probability)
            self._update(optimizers[1], losses["discriminator"])
        self.batches += 1
        self._last_losses = {name: loss.detach() for name, loss in losses.items()}
        self._report(moment)
        if self.schedule.at(self.batches).stage > moment.stage:  # before anything looks at the finished stage
            average_statistics(self.refiner.stage(moment.stage), self.trainer.strategy)
        if self.batches == self.schedule.batches:
            self.trainer.should_stop = True

    def _optimizers(self, moment: Moment) -> Sequence[LightningOptimizer]:
        chosen = self.optimizers()[2 * moment.stage :][:2]  # type: ignore[index]
        for optimizer, rate in zip(chosen, self.rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * moment.rate
        return chosen

    @torch.no_grad()
    def _sides(self, images: Pair, stage: int) -> Pair:
        """What a stage maps between: the stages before it are fixed."""
        return Pair(self.refiner.real_side(images.real, stage), self.refiner.synthetic_side(images.synthetic, stage))

    def _update(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def _generator_losses(self, moment: Moment, sides: Pair, made: Pair) -> dict[str, Tensor]:
        """The terms of appendix 7; those that training does not use now are left out."""
        losses: dict[str, Tensor] = {}
        if moment.phase == "identity" or self.identity_weight:
            losses["identity"] = identity_loss(sides.real, made.synthetic) + identity_loss(sides.synthetic, made.real)
        if moment.phase == "adversarial":
            judges = cast(Judges, self.judges[moment.stage])
            losses |= translation_losses(self.refiner.stage(moment.stage), judges, sides, made)
        return losses

    def _weighted(self, losses: dict[str, Tensor]) -> Tensor:
        if "generator" not in losses:
            return losses["identity"]
        total = losses["generator"] + self.cycle_weight * losses["cycle"]
        return total + self.identity_weight * losses["identity"] if "identity" in losses else total

    def _check_losses(self) -> None:
        moment = self.schedule.at(max(self.batches - 1, 0))
        require_finite(self._last_losses, f"in stage {moment.stage + 1}, iteration {moment.iteration}", _ADVICE)

    def _report(self, moment: Moment) -> None:
        # Only when it will be written, as the last batch is: each look at a value waits for the device.
        last = self.trainer.log_every_n_steps and self.batches == self.schedule.batches  # type: ignore[attr-defined]
        if not (last or is_logged(self.trainer)):
            return
        self._check_losses()
        for name in _LOSSES:  # all of them: Lightning would write the last value of one that is not logged again
            self.log(f"train/{name}", self._last_losses.get(name, math.nan))
        self.log("train/stage", float(moment.stage + 1))
        self.log("train/iteration", float(moment.iteration))

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs `val/<domain>/…`, see `test_step`."""
        domain = "real" if batch["domain"][0] == Domain.REAL else "synthetic"
        self._score(f"val/{domain}", batch)

    def on_test_start(self) -> None:
        """Reads the names of the test sets."""
        self._test_sets = set_names(self.trainer.test_dataloaders)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Logs for the images of each set, as the present stage maps them, two mean absolute differences.

        `test/<set>/change`: from an image to what the stage makes of it; `test/<set>/cycle`: to what it maps that back
        to. Real images are mapped to synthetic ones and back, synthetic ones the other way round.
        """
        self._score(f"test/{self._test_sets[dataloader_idx]}", batch)

    def _score(self, name: str, batch: Batch) -> None:
        generators, image = self.refiner.stage(self.stage), batch["image"]
        if bool(batch["domain"][0] == Domain.REAL):
            side = self.refiner.real_side(image, self.stage)
            there, back = generators.to_synthetic, generators.to_real
        else:
            side = self.refiner.synthetic_side(image, self.stage)
            there, back = generators.to_real, generators.to_synthetic
        refined = there(side)
        scores = {f"{name}/change": identity_loss(side, refined), f"{name}/cycle": cycle_loss(side, back(refined))}
        self.log_dict(scores, batch_size=len(image), on_epoch=True, sync_dist=True, add_dataloader_idx=False)


def _check(flip_probability: float, *others: float) -> None:
    if not 0 <= flip_probability <= 1:
        raise ConfigError(f"flip_probability is 0 to 1, not {flip_probability}.")
    if not all(number >= 0 for number in others):  # NaN is not, either
        raise ConfigError(f"Weights and learning rates are at least 0, not {others}.")
    if flip_probability > _FLIP:
        rank_zero_warn(
            f"flip_probability {flip_probability}, as the paper prints it, gives the discriminators more wrong labels "
            "than right ones: they learn the reverse. The default is 0.1."
        )
