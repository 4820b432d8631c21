"""Small real and synthetic images, and a module that remembers them, for the tests of UnpairedDataModule."""

from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import LightningModule
from PIL import Image
from torch import nn

from synthreal.batch import LabelledImages, synthetic_batch
from synthreal.datamodules import UnpairedDataModule
from synthreal.datasets import ImageDataset
from synthreal.datasets.files import LabelledFiles
from synthreal.generators import ImageGenerator
from synthreal.spaces import Categorical, Continuous, Product

CLASSES = ("ant", "bee", "cow")
FIRST = {"train": 0, "validation": 100, "test": 200}
SIDE = 8
CPU = torch.device("cpu")


class Photos(ImageDataset):
    """Noise with the labels of a pattern, repeated; the first pixel is the number of the image."""

    def __init__(self, train=18, validation=0, test=11, pattern=(0, 1, 2), classes=CLASSES, side=SIDE):
        self.count = {"train": train, "validation": validation, "test": test}
        self.splits = tuple(split for split, count in self.count.items() if count)
        self.pattern, self.classes, self.side = pattern, classes, side

    def load(self, split):
        number = np.arange(self.count[split])
        pixels = np.random.default_rng(FIRST[split]).integers(0, 256, (len(number), 1, self.side, self.side), np.uint8)
        pixels[:, 0, 0, 0] = number + FIRST[split]
        label = torch.tensor(self.pattern)[torch.from_numpy(number) % len(self.pattern)]
        return LabelledImages(torch.from_numpy(pixels), label, self.classes)


class PhotoFiles(Photos):
    """The same images as grey files."""

    def load(self, split):
        images = super().load(split)
        paths = {name: [] for name in CLASSES}
        for i, (pixels, label) in enumerate(zip(images.images, images.labels.tolist(), strict=True)):
            path = Path(f"{split}_{i}.png").resolve()
            Image.fromarray(pixels[0].numpy()).save(path)
            paths[CLASSES[label]].append(path)
        return LabelledFiles.of_classes(paths, self.side)


class Stripes(ImageGenerator):
    """A pattern of the seed below a grey level of the parameters."""

    def __init__(self, classes=CLASSES, side=SIDE, channels=1):
        self.side, self.channels, self.num_classes = side, channels, len(classes)
        self.space = Product([Categorical("class", classes), Continuous("grey", 0.5, 1.0, 4)])

    def generate(self, draws, device):
        pattern = (draws["seed"] % 9973)[:, None] * torch.arange(1, self.side**2 + 1) % 97 / 97
        image = (pattern * draws["parameters"][:, 1:]).view(-1, 1, self.side, self.side)
        return synthetic_batch(image.expand(-1, self.channels, -1, -1), draws["parameters"][:, 0].long(), draws)


class Seen(LightningModule):
    """Remembers what it is given, and writes it to a file for each rank."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.trained, self.held_out = {}, {}

    def training_step(self, batch, batch_idx):
        self.trained[self.global_step] = {key: table.clone() for key, table in batch.items()}
        return self.layer(batch["image"].mean().view(1, 1)).sum()

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.held_out.setdefault(dataloader_idx, []).append(batch)

    test_step = validation_step

    def on_train_end(self):
        torch.save(self.trained, f"rank_{self.global_rank}.pt")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def make(dataset=None, generator=None, **settings):
    return UnpairedDataModule(dataset or Photos(), generator or Stripes(), **{"batch_size": 4, "seed": 3, **settings})


def ready(*args, stage="fit", **settings):
    data = make(*args, **settings)
    data.setup(stage)
    return data


def joined(batches):
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}
