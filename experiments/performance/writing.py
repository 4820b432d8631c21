"""Memory while `predict` writes a data set of small rendered images, and how fast it goes. One thread.

Not a part of `make bench`; 100,000 images: writing.py --images 100000
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from measure import ROOT, Row, report

from synthreal.batch import Batch
from synthreal.callbacks import DatasetWriter
from synthreal.datamodules import GeneratedDataModule
from synthreal.datasets import Noise
from synthreal.datasets.meshes import ProceduralMeshes
from synthreal.generators.lighting import RandomLight
from synthreal.generators.mesh import MeshImages
from synthreal.modules import Passthrough
from synthreal.spaces import UniformViews

SIZE, PART = 32, 250
SETTLED = 0.2  # share of the run after which memory must not grow


class Memory(Callback):
    """Notes the process's resident memory after each part.

    Attributes:
        megabytes: After each part.
    """

    def __init__(self) -> None:
        self.megabytes: list[float] = []

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int, _: int = 0
    ) -> None:
        """Reads it."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.megabytes.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def measure(count: int) -> Row:
    """Writes the images to a temporary folder, and returns the memory at the end against that after a fifth of the run.

    Raises:
        RuntimeError: If images are missing afterwards.
    """
    meshes = ProceduralMeshes(instances_per_class=2)
    images = MeshImages(meshes, SIZE, UniformViews(), lighting=RandomLight(), background=Noise())
    memory, data = Memory(), GeneratedDataModule(images, count, PART)
    with tempfile.TemporaryDirectory() as folder:
        writer = DatasetWriter(f"{folder}/images")
        trainer = Trainer(
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            default_root_dir=folder,
            callbacks=[writer, memory],
        )
        start = time.perf_counter()
        trainer.predict(Passthrough(), datamodule=data, return_predictions=False)
        seconds = time.perf_counter() - start
        listed = Path(folder, "images/manifest.csv").read_bytes().count(b"\n") - 1
        there = sum(1 for _ in Path(folder, "images/image").rglob("*.png"))
    if listed != count or there != count:
        raise RuntimeError(f"{count} images were to be written, {there} are there and {listed} are in the manifest.")
    print(f"{count} images of {SIZE} pixels in {seconds:.0f} s: {count / seconds:.0f} images/s.")
    return growth(memory.megabytes, count)


def growth(megabytes: list[float], count: int) -> Row:
    """Returns the row: medians of the parts around a fifth of the run, and of the last ones."""
    settled, few = int(SETTLED * len(megabytes)), max(1, len(megabytes) // 50)
    early = statistics.median(megabytes[settled : settled + few])
    late = statistics.median(megabytes[-few:])
    ends = min(megabytes[settled:]) / early, max(megabytes[settled:]) / early
    return Row("writing", f"{count} images", "MB", late, early, "after a fifth", late / early, *ends, "<= 1.05", 1)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--output", type=Path, default=ROOT / "experiments/performance/results.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report([measure(arguments.images)], arguments.output)


if __name__ == "__main__":
    main()
