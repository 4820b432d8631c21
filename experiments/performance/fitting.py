"""SampleAhead on MNIST as its config has it, with clocks at the ends of epochs and around the probes."""

import time
from collections.abc import Callable
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from measure import ROOT

from synthreal.callbacks import SampleAhead
from synthreal.datamodules import BucketDataModule
from synthreal.experiment import ExperimentCLI

PAPER_EPOCH = 983
PAPER_STEPS = 10_000


class Clock(Callback):
    """Seconds of each epoch, from before its draws to after its checkpoint.

    Args:
        between: Called before each epoch, and not counted.
    """

    def __init__(self, between: Callable[[], object] = lambda: None) -> None:
        self.between = between
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends an epoch, starts the next."""
        self._stop()
        self.between()
        self._start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the last epoch, before figures are drawn."""
        self._stop()

    def _stop(self) -> None:
        if self._start:
            self.seconds.append(time.perf_counter() - self._start)


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
        callbacks.append(clock)
        start = time.perf_counter()
        self.trainer.fit(self.model, datamodule=self.data)
        total = time.perf_counter() - start
        self.probe_seconds = [b - a for a, b in zip(before.times, after.times, strict=True)]
        return total
