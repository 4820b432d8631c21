"""A generator with every map, and runs that write its images, for the tests of DatasetWriter."""

import csv
import io

import numpy as np
import torch
from PIL import Image

from synthreal.batch import synthetic_batch
from synthreal.callbacks import DatasetWriter
from synthreal.datamodules import GeneratedDataModule
from synthreal.generators import ImageGenerator
from synthreal.modules import Passthrough
from synthreal.spaces import Categorical, Continuous, Product
from tests.trainer_parts import quiet_trainer

COUNT, PART = 20, 6
MAPS = ("mask", "depth", "normals", "semantic")
CLASSES = ["ant", "bee hive", "cow"]


class Blocks(ImageGenerator):
    """A coloured block on black, with everything that a renderer gives; fails when told to."""

    num_classes = 3

    def __init__(self, blue=0.2, fail_at=None, names=CLASSES):
        self.blue, self.fail_at, self.calls = blue, fail_at, 0
        self.space = Product([Categorical("class", names), Continuous("red", 0, 1, 5), Continuous("far", 2, 9)])

    def generate(self, draws, device):
        self.calls += 1
        if self.fail_at is not None and self.calls > self.fail_at:
            raise RuntimeError("the power went out")
        label, red, far = draws["parameters"].unbind(1)
        count = len(label)
        green = (draws["seed"] % 97) / 97
        colour = torch.stack([red, green, torch.full_like(red, self.blue)], 1)[:, :, None, None]
        mask = torch.zeros(count, 1, 4, 6)
        mask[:, :, 1:3, 2:5] = 1
        mask[:, :, 1, 2] = 0.25
        batch = synthetic_batch(colour * mask, label.long(), draws)
        normal = torch.tensor([0.6, -0.8, 0.0])[:, None, None]
        return {
            **batch,
            "mask": mask,
            "depth": far[:, None, None, None] * (mask > 0),
            "normals": normal * (mask > 0),
            "semantic": colour * mask * 0.5,
            "box": torch.tensor([2.0, 1.0, 5.0, 3.0]).expand(count, -1),
            "viewpoint": torch.stack([red * 360, far, torch.full_like(far, 0.1)], 1),
        }


def data_set(count=COUNT, batch_size=PART, seed=3, **settings):
    return GeneratedDataModule(Blocks(**settings), count, batch_size, seed=seed)


def predict(output, data=None, module=None, callbacks=(), devices=1, limit=1.0, **settings):
    trainer = quiet_trainer(
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        use_distributed_sampler=False,
        limit_predict_batches=limit,
        callbacks=[DatasetWriter(str(output), **settings), *callbacks],
    )
    trainer.predict(module or Passthrough(), datamodule=data or data_set(), return_predictions=False)
    return trainer


def tree(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def manifest(folder):
    with (folder / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content))).astype(float)


def expected(**settings):
    data = data_set(**settings)
    data.setup("predict")
    return data.draws, data.make(torch.arange(data.count))
