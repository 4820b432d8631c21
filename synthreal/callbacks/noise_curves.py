"""How adaptive noise and losses of a GM-CML run went."""

import math
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from synthreal.batch import Batch
from synthreal.callbacks.records import kept_folder, log_figure
from synthreal.errors import ConfigError
from synthreal.modules import GMCML
from synthreal.modules.logged_steps import is_logged
from synthreal.plots import noise_curves

_PREFIX = "train/"
_NOISE = {
    "variance_ratio": "r, variance of M' over that of M",
    "noise_reconstruction": "R_rec, noise of the reconstruction network",
    "noise_classification": "R_cls, noise of the classifier",
}


class NoiseCurves(Callback):
    """Draws what adaptive noise and losses were at every logged step, when training ends (GM-CML, Fig. 8).

    The figure `curves` goes to the run's folder and to every logger that takes images: the variance ratio r and the
    noise ratios that follow from it on the left, each term of the loss on the right. A resumed run draws all of it.

    Raises:
        ConfigError: If the module is no GMCML.
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[int, float]] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Checks the module, and forgets an earlier run."""
        if not isinstance(pl_module, GMCML):
            raise ConfigError(f"NoiseCurves follows a GMCML, not a {type(pl_module).__name__}.")
        if stage == "fit":
            self._values = {}

    def state_dict(self) -> dict[str, Any]:
        """Returns the values so far: name → step → value."""
        return {"values": {name: dict(values) for name, values in self._values.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the curves."""
        self._values = {name: dict(values) for name, values in state_dict["values"].items()}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Keeps what was logged in the step; batches whose gradients accumulate are one step."""
        step = trainer.global_step
        # Until the next logged step the metrics hold these values, and each look at one waits for the device.
        ends = is_logged(trainer) and not trainer.fit_loop._should_accumulate()
        if not (ends and trainer.is_global_zero) or step in self._values.get("loss", {}):
            return
        logged = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(_PREFIX)}
        for name, value in logged.items():
            if not math.isnan(value):  # the batch had no such term
                self._values.setdefault(name.removeprefix(_PREFIX), {})[step] = value

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the figure, if anything was logged."""
        folder = kept_folder(trainer)
        if folder is None or not self._values:
            return
        lines = {name: np.array(list(values.items()), dtype=np.float64) for name, values in self._values.items()}
        noise = {text: lines.pop(name) for name, text in _NOISE.items() if name in lines}
        log_figure(noise_curves(noise, lines), "curves", folder, trainer.loggers)
