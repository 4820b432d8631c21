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

_MOST_LABELS = 40


def run_folder(trainer: Trainer) -> Path | None:
    """Returns a run's own folder: that of its CSV or first logger; None without loggers, for then nothing is kept."""
    loggers = sorted(trainer.loggers, key=lambda logger: not isinstance(logger, CSVLogger))
    for logger in loggers:
        if isinstance(logger, CSVLogger | TensorBoardLogger):
            return Path(logger.log_dir)
        return Path(logger.save_dir or trainer.default_root_dir) / str(logger.name) / str(logger.version)
    return None


def kept_folder(trainer: Trainer) -> Path | None:
    """Returns a run's folder if this process is to keep something there: the first one, and not in a trial run."""
    trial = bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
    return None if trial or not trainer.is_global_zero else run_folder(trainer)


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
        with (
            replacing(self.folder / "buckets" / f"epoch_{epoch:04d}.npz") as beside,
            beside.open("wb") as file,
        ):
            np.savez(file, difficulty=difficulty.float().numpy(), probability=probability.numpy())

    def draw(self, loggers: Sequence[Logger]) -> None:
        """Draws heat maps of difficulty and P, and the effective share, epoch by epoch."""
        if self.folder is None:
            return
        epochs, difficulty, probability = read_bucket_record(self.folder)
        if not epochs:
            return
        maps, share = bucket_figures(epochs, difficulty[None], probability[None], self.space)
        log_figure(maps, "buckets", self.folder, loggers)
        log_figure(share, "effective_share", self.folder, loggers)


def bucket_figures(
    epochs: Sequence[int],
    difficulty: Float[np.ndarray, "r e k"],
    probability: Float[np.ndarray, "r e k"],
    space: ParameterSpace,
) -> tuple[Figure, Figure]:
    """Returns heat maps of difficulty and P / P0, and the curve of the effective share, means over R runs."""
    prior = space.volumes().numpy()
    ratio = np.divide(probability, prior, out=np.ones_like(probability), where=prior > 0)
    rows, columns = space.shape
    row_names = [space.describe(k * columns)[0] for k in range(rows)] if rows <= _MOST_LABELS else []
    column_names = [", ".join(space.describe(k)[1:]) for k in range(columns)] if columns <= _MOST_LABELS else []
    maps = bucket_heatmaps(epochs, difficulty.mean(0), ratio.mean(0), space.shape, (row_names, column_names))
    share = 1 / (ratio**2 * prior).sum(2)
    return maps, effective_share_curve(epochs, share.mean(0), ratio.max(2).mean(0))


def read_bucket_record(folder: Path) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Returns epochs, difficulty [E, K] and P [E, K] from a run's folder, or from its parts (later ones win)."""
    parts = sorted(folder.glob("**/buckets/epoch_*.npz"), key=lambda file: file.stat().st_mtime)
    files = [file for _, file in sorted({file.name: file for file in parts}.items())]
    if not files:
        return [], np.zeros((0, 0)), np.zeros((0, 0))
    tables = [np.load(file) for file in files]  # allow_pickle is off by default
    epochs = [int(file.stem.removeprefix("epoch_")) for file in files]
    return epochs, np.stack([t["difficulty"] for t in tables]), np.stack([t["probability"] for t in tables])
