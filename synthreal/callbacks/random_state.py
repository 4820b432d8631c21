"""Random states in checkpoints, so that a resumed run goes on with the same noise (Lightning does not save them)."""

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class RandomState(Callback):
    """Saves the global random states of torch, CUDA, NumPy and Python, and restores them when training goes on.

    Every process of a run is seeded alike and a checkpoint holds the first one's states, so all restore the same, each
    for the device that it uses.
    """

    def __init__(self) -> None:
        self._restored: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """Returns the states as tensors and plain numbers, which load without pickle."""
        _, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 the state that others may use
        version, numbers, normal = random.getstate()
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
            "numpy": [torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss],
            "python": [version, list(numbers), normal],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps the states until training starts: building the loaders may still draw numbers."""
        self._restored = state_dict

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores the states after everything that is set up."""
        if not self._restored:
            return
        state, self._restored = self._restored, {}
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["cuda"].cpu())
        keys, position, has_gauss, gauss = state["numpy"]
        np.random.set_state(  # noqa: NPY002
            ("MT19937", keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss)
        )
        version, numbers, normal = state["python"]
        random.setstate((version, tuple(numbers), normal))
