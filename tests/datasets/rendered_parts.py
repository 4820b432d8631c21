"""A data set that DatasetWriter writes, for the tests of rendered folders."""

import csv

import torch

from synthreal.batch import synthetic_batch
from synthreal.callbacks import DatasetWriter
from synthreal.datamodules import GeneratedDataModule
from synthreal.datasets.rendered import RenderedFolder
from synthreal.generators import ImageGenerator
from synthreal.modules import Passthrough
from synthreal.spaces import Categorical, Continuous, Product
from tests.trainer_parts import quiet_trainer

COUNT, PART = 150, 40
CLASSES = ["ant", "nan", "cow"]  # one that pandas would take for a missing value


class Blocks(ImageGenerator):
    """Noise of a seed's own behind a coloured block; five models of each class."""

    num_classes = 3

    def __init__(self, channels=3, named=True, on_black=False, models=5):
        self.channels, self.named, self.on_black, self.models = channels, named, on_black, models
        self.space = Product([Categorical("class", CLASSES), Continuous("model", 0, 1), Continuous("shade", 0, 1)])

    def generate(self, draws, device):
        label, _, shade = draws["parameters"].unbind(1)
        mask = torch.zeros(len(label), 1, 4, 6)
        mask[:, :, 1:3, 2:5] = 1
        mask[:, :, 1, 2] = 0.25
        colour = torch.stack([shade, (draws["seed"] % 97) / 97, label / 3], 1)[:, : self.channels, None, None]
        behind = (draws["seed"][:, None] >> torch.arange(24)) % 256 / 255
        image = colour * mask + (0 if self.on_black else (1 - mask) * behind.view(-1, 1, 4, 6))
        return {**synthetic_batch(image, label.long(), draws), "mask": mask}

    def name(self, draws):
        label, model, _ = draws["parameters"].unbind(1)
        names = [f"{CLASSES[int(a)]}_{int(b * self.models)}" for a, b in zip(label, model, strict=True)]
        return {"model": names} if self.named else {}


def data_set(**settings):
    return GeneratedDataModule(Blocks(**settings), COUNT, PART, seed=3)


def write(output, limit=1.0, layout="folders", transparent=False, **settings):
    writer = DatasetWriter(str(output), layout, transparent=transparent)
    trainer = quiet_trainer(limit_predict_batches=limit, callbacks=[writer])
    trainer.predict(Passthrough(), datamodule=data_set(**settings), return_predictions=False)


def rows(root):
    with (root / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def rewrite(root, table):
    with (root / "manifest.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, list(table[0]))
        out.writeheader()
        out.writerows(table)


def made(**settings):
    """Each image in 8 bits, its label and its model, in the order of the data set."""
    data = data_set(**settings)
    data.setup("predict")
    every = torch.arange(COUNT)
    batch = data.make(every)
    names = data.generator.name(data.rows(every)).get("model")
    return batch["image"].mul(255).round().byte(), batch["label"], names


def indices(images, every):
    """Number of each image in the data set; no two there are alike."""
    where = {image.numpy().tobytes(): i for i, image in enumerate(every)}
    assert len(where) == len(every)
    return [where[image.numpy().tobytes()] for image in images.images]


def both(root, **settings):
    held = RenderedFolder(str(root), split_by="image", **settings)
    return torch.cat([held.load(split).images for split in ("train", "test")])
