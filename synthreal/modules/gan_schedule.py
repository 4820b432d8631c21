"""What a GAN of several stages does with each batch: a pure function of how many batches came before."""

from dataclasses import dataclass
from typing import Literal

from synthreal.errors import ConfigError

Phase = Literal["identity", "discriminator", "adversarial"]
"""Pre-training of the generators, pre-training of the discriminators, training of both."""


@dataclass(frozen=True)
class Moment:
    """Where training is, before a batch.

    Args:
        stage: Stage, from 0; the number of stages once training is over.
        phase: What the batch is for.
        iteration: Iteration of that phase, from 0.
        update_discriminators: Whether the batch updates the discriminators.
        rate: Factor on the learning rates, 0 to 1.
    """

    stage: int
    phase: Phase
    iteration: int
    update_discriminators: bool
    rate: float


@dataclass(frozen=True)
class GanSchedule:
    """The phases of each stage (MrGAN paper, appendix 6.2).

    Each batch makes one update of the generators; the last of an iteration updates the discriminators too.

    Args:
        stages: Number of stages.
        iterations: Iterations of adversarial training of each stage.
        decay_from: Iteration from which the learning rates fall linearly, to 0 at the end.
        generator_updates: Updates of the generators in an iteration, each with a batch of its own.
        pretrain_generators: Batches of pre-training of the generators, before each stage.
        pretrain_discriminators: Batches of pre-training of the discriminators, after that.

    Raises:
        ConfigError: If a number is out of range.
    """

    stages: int
    iterations: int
    decay_from: int
    generator_updates: int
    pretrain_generators: int
    pretrain_discriminators: int

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.generator_updates < 1:
            raise ConfigError("iterations and generator_updates are at least 1.")
        if not 0 <= self.decay_from <= self.iterations:
            raise ConfigError(f"decay_from is 0 to {self.iterations}, the number of iterations, not {self.decay_from}.")
        if min(self.pretrain_generators, self.pretrain_discriminators) < 0:
            raise ConfigError("pretrain_generators and pretrain_discriminators are at least 0.")

    @property
    def batches_per_stage(self) -> int:
        """Batches that a stage is trained with."""
        return self.pretrain_generators + self.pretrain_discriminators + self.iterations * self.generator_updates

    @property
    def batches(self) -> int:
        """Batches of the whole training."""
        return self.stages * self.batches_per_stage

    @property
    def steps_per_stage(self) -> int:
        """Optimiser steps of a stage, which is what Lightning's `global_step` and `max_steps` count."""
        return self.batches_per_stage + self.iterations

    def steps(self, batches: int) -> int:
        """Returns the optimiser steps of so many first batches."""
        stage, inside = divmod(batches, self.batches_per_stage)
        adversarial = max(0, inside - self.pretrain_generators - self.pretrain_discriminators)
        return stage * self.steps_per_stage + inside + adversarial // self.generator_updates

    def at(self, batch: int) -> Moment:
        """Returns where training is before the batch of this number, from 0."""
        stage, inside = divmod(batch, self.batches_per_stage)
        if inside < self.pretrain_generators:
            return Moment(stage, "identity", inside, False, 1.0)
        inside -= self.pretrain_generators
        if inside < self.pretrain_discriminators:
            return Moment(stage, "discriminator", inside, True, 1.0)
        iteration, update = divmod(inside - self.pretrain_discriminators, self.generator_updates)
        left = self.iterations - iteration
        rate = min(1.0, left / max(1, self.iterations - self.decay_from))
        return Moment(stage, "adversarial", iteration, update == self.generator_updates - 1, rate)
