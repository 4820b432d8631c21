"""What the model said about each test image, in a table that outlives the run."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

from synthreal.batch import Batch
from synthreal.callbacks.records import kept_folder
from synthreal.errors import ConfigError
from synthreal.files import replacing
from synthreal.modules.scores import set_names

_WHOLE = ["index", "label", "prediction"]


class Predictions(Callback):
    """Writes `predictions.csv` into the run's folder after `test`: set, index, label, prediction, confidence.

    A row for each image of each test set, over all processes, in the order of the test sets and of the images in them.
    `set` is the test set's name, "test" if there is only one; `index` the image's number in it; `label` and
    `prediction` are class numbers; `confidence` is the probability of the predicted class. A run without a logger has
    no folder and keeps nothing.
    """

    def __init__(self) -> None:
        self._rows: list[list[Float[Tensor, "b 4"]]] = []

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets an earlier test."""
        self._rows = [[torch.zeros(0, 4, dtype=torch.float64)] for _ in set_names(trainer.test_dataloaders)]

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps a batch's rows.

        Raises:
            ConfigError: If the images have no numbers, or the model does not say what it predicts.
        """
        if "index" not in batch:
            raise ConfigError(
                "Predictions needs the number of each test image, `index`, which MixedDataModule gives; "
                f"these batches hold {', '.join(batch)}."
            )
        if not isinstance(outputs, Mapping) or not {"prediction", "confidence"} <= outputs.keys():
            raise ConfigError(
                "Predictions writes what test_step returns as prediction and confidence, as Classifier's does; "
                f"{type(pl_module).__name__}'s returns something else."
            )
        columns = batch["index"], batch["label"], outputs["prediction"], outputs["confidence"]
        # Whole numbers up to 2^53 are exact in 64 bits.
        self._rows[dataloader_idx].append(torch.stack([column.detach().cpu().double() for column in columns], 1))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gathers the rows of all processes and writes the file."""
        tables = [_from_all_processes(torch.cat(rows), trainer, pl_module.device) for rows in self._rows]
        folder = kept_folder(trainer)
        if folder is None:
            return
        names = [name or "test" for name in set_names(trainer.test_dataloaders)]
        table = pd.concat([_frame(name, rows) for name, rows in zip(names, tables, strict=True)])
        with replacing(folder / "predictions.csv") as beside:
            table.to_csv(beside, index=False, float_format="%.6g")


def _from_all_processes(rows: Float[Tensor, "n 4"], trainer: Trainer, device: torch.device) -> Float[Tensor, "m 4"]:
    if trainer.world_size == 1:
        return rows
    return torch.cat([part.cpu() for part in gather_all_tensors(rows.to(device))])


def _frame(name: str, rows: Float[Tensor, "n 4"]) -> pd.DataFrame:
    """One set's rows, in order; an image that two processes saw, to fill a batch, comes once."""
    table = pd.DataFrame(rows.numpy(), columns=[*_WHOLE, "confidence"]).astype(dict.fromkeys(_WHOLE, int))
    table.insert(0, "set", name)
    return table.drop_duplicates("index").sort_values("index")
