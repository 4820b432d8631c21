"""What a run leaves in its folder: difficulty and P of every bucket, and figures, whatever the logger."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from matplotlib.figure import Figure
from torch import Tensor

from synthreal.files import replacing
from synthreal.plots import bucket_heatmaps, effective_share_curve
from synthreal.spaces import ParameterSpace


def run_folder(trainer: Trainer) -> Path:
    """Returns the folder of a run: that of its CSV logger, else the trainer's root."""
    for logger in trainer.loggers:
        if isinstance(logger, CSVLogger):
            return Path(logger.log_dir)
    return Path(trainer.default_root_dir)


def log_figure(figure: Figure, name: str, folder: Path, loggers: Sequence[Logger]) -> None:
    """Saves a figure as `figures/<name>.png` in the run's folder, and shows it in every logger that takes images."""
    path = folder / "figures" / f"{name}.png"
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [str(path)])
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_figure(name, figure)


class BucketRecord:
    """Difficulty and P of every bucket after each epoch, one file an epoch: `buckets/epoch_0001.npz`.

    Args:
        folder: The run's folder; None to keep nothing (other processes, trial runs).
        space: Space of the buckets.
    """

    def __init__(self, folder: Path | None, space: ParameterSpace) -> None:
        self.folder, self.space = folder, space

    def add(self, epoch: int, difficulty: Float[Tensor, " k"], probability: Float[Tensor, " k"]) -> None:
        """Keeps the state after an epoch, counted from 1."""
        if self.folder is None:
            return
        with replacing(self.folder / "buckets" / f"epoch_{epoch:04d}.npz") as beside, beside.open("wb") as file:
            np.savez(file, difficulty=difficulty.float().numpy(), probability=probability.numpy())

    def draw(self, loggers: Sequence[Logger]) -> None:
        """Draws heat maps of difficulty and P, and the effective share, epoch by epoch."""
        if self.folder is None:
            return
        epochs, difficulty, probability = read_bucket_record(self.folder)
        if not epochs:
            return
        prior = self.space.volumes().numpy()
        rows, columns = self.space.shape
        names = [self.space.describe(k) for k in range(min(columns, 60))]
        labels = (
            [self.space.describe(k * columns)[0] for k in range(rows)] if rows <= 40 else [],
            [", ".join(name[1:] or name) for name in names] if columns <= 40 else [],
        )
        maps = bucket_heatmaps(epochs, difficulty, probability / prior, self.space.shape, labels)
        log_figure(maps, "buckets", self.folder, loggers)
        log_figure(effective_share_curve(epochs, probability, prior), "effective_share", self.folder, loggers)


def read_bucket_record(folder: Path) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Returns epochs, difficulty [E, K] and P [E, K] from a run's folder."""
    files = sorted((folder / "buckets").glob("epoch_*.npz"))
    if not files:
        return [], np.zeros((0, 0)), np.zeros((0, 0))
    tables = [np.load(file) for file in files]  # allow_pickle is off by default
    epochs = [int(file.stem.removeprefix("epoch_")) for file in files]
    return epochs, np.stack([t["difficulty"] for t in tables]), np.stack([t["probability"] for t in tables])
