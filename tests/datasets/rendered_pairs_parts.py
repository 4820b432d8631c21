"""Pairs that DatasetWriter writes, or another program, for the tests of rendered pairs."""

import json

import numpy as np
import torch
from PIL import Image

from synthreal.batch import synthetic_batch
from synthreal.callbacks import DatasetWriter
from synthreal.datamodules import GeneratedDataModule
from synthreal.datasets import RenderedPairs
from synthreal.generators import ImageGenerator
from synthreal.modules import Passthrough
from synthreal.spaces import Categorical, Circular, Continuous, Product
from tests.datasets.rendered_parts import rewrite
from tests.trainer_parts import quiet_trainer

COUNT, PART = 60, 25
CLASSES = ["ant", "nan", "cow"]
COLUMNS = ("class", "azimuth", "elevation", "tilt", "distance", "light strength")


class Views(ImageGenerator):
    """Noise of a seed's own, and its complement as semantic map; five models of each class."""

    num_classes = 3

    def __init__(self, viewpoints=True):
        self.viewpoints = viewpoints
        views = [Circular("azimuth"), Continuous("elevation", -10, 40), Continuous("tilt", -5, 5)]
        more = [Continuous("distance", 2, 3), Continuous("light strength", 0, 1)]
        self.space = Product([Categorical("class", CLASSES), *views, *more])

    def generate(self, draws, device):
        noise = ((draws["seed"][:, None] >> torch.arange(48)) % 256 / 255).view(-1, 3, 4, 4)
        image = torch.cat([noise, noise.flip(3)[..., :2]], 3)
        batch = synthetic_batch(image, draws["parameters"][:, 0].long(), draws)
        batch["semantic"] = 1 - image
        if self.viewpoints:
            batch["viewpoint"] = draws["parameters"][:, 1:4]
        return batch

    def name(self, draws):
        return {"model": [f"model_{int(number * 5)}" for number in draws["parameters"][:, 5].tolist()]}


def write(output, generator=None, layout="folders", outputs=("semantic",)):
    trainer = quiet_trainer(callbacks=[DatasetWriter(str(output), layout, list(outputs))])
    data = GeneratedDataModule(generator or Views(), COUNT, PART, seed=5)
    trainer.predict(Passthrough(), datamodule=data, return_predictions=False)


def made():
    data = GeneratedDataModule(Views(), COUNT, PART, seed=5)
    data.setup("predict")
    return data.make(torch.arange(COUNT))


def read(root, **settings):
    held = RenderedPairs(str(root), split_by="image", **settings)
    return [held.pairs(split) for split in ("train", "test")]


def hand_made(root, count=8, size=(6, 4), more=None):
    """A folder as other programs would write it: JPEG-like names, only what is needed."""
    for i in range(count):
        for kind, grey in (("image", 10 * i), ("semantic", 10 * i + 5)):
            path = root / kind / "set" / f"{i}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((size[1], size[0], 3), grey, np.uint8)).save(path)
    table = [
        {
            **{"path": f"image/set/{i}.bmp", "index": i, "class": "ab"[i % 2], "label": i % 2, "model": f"m{i}"},
            **{"viewpoint.azimuth": 40 * i, "viewpoint.elevation": i, "viewpoint.tilt": 0, **(more or {})},
        }
        for i in range(count)
    ]
    rewrite(root, table)
    described = {"format": "synthreal data set 1", "count": count, "classes": ["a", "b"]}
    (root / "dataset.json").write_text(json.dumps(described))
    return root
