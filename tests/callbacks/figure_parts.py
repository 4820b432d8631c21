"""What figures leave behind, on disk and in the training, for the tests of callbacks that draw."""

from pathlib import Path

from lightning.pytorch import Callback


def figures():
    """Names of all figures of the test."""
    return sorted(path.stem for path in Path().rglob("*.png"))


class Modes(Callback):
    """Whether each part trains, after each training batch."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append([part.training for part in pl_module.modules()])
