"""What `predict` makes, written to disk as a data set."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from synthreal.batch import Batch
from synthreal.callbacks.dataset_folder import DatasetFolder
from synthreal.callbacks.encoding import ENCODING, Map, encode, png
from synthreal.callbacks.layouts import Row, Sample, write_folders, write_shard
from synthreal.callbacks.records import run_folder
from synthreal.datamodules import GeneratedDataModule
from synthreal.errors import ConfigError
from synthreal.files import replacing

_BOX = ("left", "top", "right", "bottom")
_VIEWPOINT = ("azimuth", "elevation", "tilt")


class DatasetWriter(Callback):
    """Writes the batches of `predict` to a folder: pictures, a manifest, and what a reader must know of them.

    `dataset.json` describes the data set; `manifest.csv` has a row for each sample: path, index, class, label, bucket,
    seed, what the generator names (such as the model), each parameter as `u.<name>`, and the object's box and viewpoint
    if the batch has them. Only one batch is ever held. A part (a batch) counts once its record in `parts/` is there. A
    run that was stopped goes on with the missing parts when it is started again, on any number of processes, and leaves
    what an unbroken run would have left. Several machines need a folder that all of them see.

    Args:
        output: The folder. Empty, missing, or holding this same data set unfinished.
        layout: `folders`: `image/<class>/<index>.png`, and `mask/<class>/<index>.png` and so on for the other pictures.
            `shards`: `shard-<part>.tar` for WebDataset, one a part.
        outputs: Pictures to write besides the images; the generator must make them.
        transparent: Writes the mask as the image's alpha. For generators that draw on black.
    """

    _folder: DatasetFolder

    def __init__(
        self,
        output: str,
        layout: Literal["folders", "shards"] = "folders",
        outputs: Sequence[Map] = (),
        transparent: bool = False,
    ) -> None:
        self.output, self.layout = Path(output), layout
        self.outputs, self.transparent = tuple(outputs), transparent

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Tells the datamodule which parts are there already.

        Raises:
            ConfigError: If the datamodule makes no data set, or the folder holds something else.
        """
        if stage != "predict":
            return
        data = _data(trainer)
        _check_names(data.classes)
        if trainer.predict_loop.return_predictions:
            rank_zero_warn("The trainer keeps every image in memory: pass return_predictions=False to predict.")
        self._folder = DatasetFolder(self.output, self._description(data, pl_module), data.num_parts)
        with self._disk():
            self._folder.check()
            # The first process's view is everyone's: a shared folder may lag behind on the others.
            done = trainer.strategy.broadcast(self._folder.finished())
        data.skip(done)
        if done:
            rank_zero_info(f"{self.output}: {len(done)} of {data.num_parts} parts are there already.")

    def _description(self, data: GeneratedDataModule, module: LightningModule) -> dict[str, Any]:
        return {
            "format": "synthreal data set 1",
            "count": data.count,
            "part_size": data.batch_size,
            "classes": data.classes,
            "parameters": data.generator.space.columns,
            "layout": self.layout,
            "pictures": {name: ENCODING[name] for name in ("image", *self.outputs)},
            "transparent": self.transparent,
            "module": type(module).__name__,
            "fingerprint": data.fingerprint(),
        }

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Writes a part, then its record.

        Raises:
            ConfigError: If `predict_step` returned no batch, a picture is missing, or the disk cannot be written to.
        """
        if not isinstance(outputs, Mapping) or not {"image", "label", "index"} <= outputs.keys():
            raise ConfigError(
                "DatasetWriter writes batches with image, label and index, as the module Passthrough returns; "
                f"{type(pl_module).__name__}.predict_step returns something else."
            )
        made: Batch = outputs  # type: ignore[assignment]
        data = _data(trainer)
        pixels = encode(made, self.outputs, self.transparent)
        with self._disk():
            self._folder.claim()
            self._write(int(made["index"][0]) // data.batch_size, pixels, _rows(made, data))

    def _write(self, part: int, pixels: Mapping[str, np.ndarray], rows: Sequence[Row]) -> None:
        with ThreadPoolExecutor() as pool:
            files = {name: list(pool.map(png, table)) for name, table in pixels.items()}
        samples = [
            Sample(f"{row['index']:06d}", {name: table[i] for name, table in files.items()}, row)
            for i, row in enumerate(rows)
        ]
        if self.layout == "shards":
            paths = write_shard(self.output, f"{part:06d}", samples)
        else:
            paths = write_folders(self.output, samples)
        self._folder.commit(part, [{"path": path, **row} for path, row in zip(paths, rows, strict=True)])

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Writes the manifest once every part is there, and copies the run's config and provenance beside it."""
        if stage != "predict":
            return
        trainer.strategy.barrier("every process has written its parts")
        if not trainer.is_global_zero:
            return
        with self._disk():
            missing = self._folder.num_parts - len(self._folder.finished())
            if missing:
                rank_zero_info(f"{self.output}: {missing} parts are still missing; the same command goes on.")
                return
            self._folder.write_manifest()
            for name in ("config.yaml", "provenance.json"):
                run = run_folder(trainer)
                if run and (run / name).exists() and not (self.output / name).exists():
                    with replacing(self.output / name, alone=True) as beside:
                        shutil.copyfile(run / name, beside)
        rank_zero_info(f"{self.output}: all {self._folder.num_parts} parts are there, listed in manifest.csv.")

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(
                f"{self.output} cannot be written to ({error}). Free space or choose another output; what is "
                "finished there stays, and the same command goes on from it."
            ) from error


def _data(trainer: Trainer) -> GeneratedDataModule:
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, GeneratedDataModule):
        raise ConfigError(f"DatasetWriter writes what a GeneratedDataModule makes, not a {type(data).__name__}.")
    return data


def _check_names(classes: Sequence[str]) -> None:
    bad = [name for name in classes if not name.isprintable() or Path(name).name != name or name[:1] in ("", ".")]
    if bad or len({name.lower() for name in classes}) < len(classes):
        raise ConfigError(f"Classes name folders, so they must differ and hold no slash: {list(bad or classes)}.")


def _rows(batch: Batch, data: GeneratedDataModule) -> list[Row]:
    index, label = batch["index"].cpu(), batch["label"].tolist()
    rows = data.rows(index)
    columns: dict[str, list[Any]] = {
        "index": index.tolist(),
        "class": [data.classes[i] for i in label],
        "label": label,
        "bucket": rows["bucket"].tolist(),
        "seed": rows["seed"].tolist(),
        **data.generator.name(rows),
        **_numbers("u", data.generator.space.columns, rows["parameters"]),
    }
    if "box" in batch:
        columns |= _numbers("box", _BOX, batch["box"])
    if "viewpoint" in batch:
        columns |= _numbers("viewpoint", _VIEWPOINT, batch["viewpoint"])
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _numbers(prefix: str, names: Sequence[str], table: Float[Tensor, "n d"]) -> dict[str, list[float]]:
    # Through text: 0.1 in float32 shall read 0.1, not 0.10000000149011612.
    text = table.cpu().numpy().astype(str).T
    return {f"{prefix}.{name}": [float(word) for word in column] for name, column in zip(names, text, strict=True)}
