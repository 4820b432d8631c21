"""SampleAhead on MNIST as its config has it, with clocks at the ends of epochs and around the probes."""

import time
from collections.abc import Callable
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from measure import ROOT

from synthreal.batch import Batch
from synthreal.callbacks import SampleAhead
from synthreal.datamodules import BucketDataModule
from synthreal.experiment import ExperimentCLI

PAPER_EPOCH = 983
PAPER_STEPS = 10_000


class Clock(Callback):
    """Seconds of each epoch, from before its draws to after its checkpoint.

    Args:
        between: Called with a number of steps whenever so many were made, and not counted.
        every: That number; an epoch's last part may be shorter.
    """

    def __init__(self, between: Callable[[int], object] = lambda steps: None, every: int = 50) -> None:
        self.between, self.every = between, every
        self.seconds: list[float] = []
        self._start = 0.0
        self._epoch = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends an epoch, starts the next."""
        self._end_epoch()
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Lets the other side work after some steps."""
        steps = batch_idx % self.every + 1
        if steps == self.every or trainer.is_last_batch:
            self._epoch += time.perf_counter() - self._start
            self.between(steps)
            self._start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the last epoch, before figures are drawn."""
        self._end_epoch()

    def _end_epoch(self) -> None:
        if self._epoch:
            self.seconds.append(self._epoch + time.perf_counter() - self._start)
            self._epoch = 0.0


class Stamp(Callback):
    """Notes when its turn comes at the end of each epoch."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the time."""
        self.times.append(time.perf_counter())


class Fit:
    """A run of `experiments/sampleahead/mnist.yaml`, on the bundled digits at 28 pixels if MNIST is missing.

    Args:
        folder: Where the run goes.
        steps: Steps an epoch.
        epochs: Epochs to run.
    """

    def __init__(self, folder: Path, steps: int, epochs: int) -> None:
        settings: dict[str, object] = {"data.steps_per_epoch": steps, "trainer.max_steps": steps * epochs}
        settings |= {"trainer.default_root_dir": folder, "data.dataset.root": ROOT / "data"}
        if not (ROOT / "data/MNIST/raw").is_dir():
            del settings["data.dataset.root"]
            settings |= {
                "data.dataset": "Digits",
                "data.dataset.image_size": 28,
                "data.dataset.train_size": 1700,
            }
            settings |= {"data.probe_images_per_class": 60}
        config = ROOT / "experiments/sampleahead/mnist.yaml"
        cli = ExperimentCLI([f"--config={config}", *(f"--{k}={v}" for k, v in settings.items())], run=False)
        data = cli.datamodule
        assert isinstance(data, BucketDataModule)  # as the config says
        self.trainer, self.model, self.data = cli.trainer, cli.model, data
        self.probe_seconds: list[float] = []

    def run(self, clock: Clock) -> float:
        """Trains, and returns the seconds of the whole fit."""
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        place = next(i for i, callback in enumerate(callbacks) if isinstance(callback, SampleAhead))
        before, after = Stamp(), Stamp()
        callbacks[place : place + 1] = [before, callbacks[place], after]
        callbacks.insert(0, clock)  # before the figures are drawn
        start = time.perf_counter()
        self.trainer.fit(self.model, datamodule=self.data)
        total = time.perf_counter() - start
        self.probe_seconds = [b - a for a, b in zip(before.times, after.times, strict=True)]
        return total
