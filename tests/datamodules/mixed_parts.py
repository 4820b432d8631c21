"""Small real and synthetic images, and what is trained on them, for the tests of MixedDataModule."""

from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import LightningModule
from PIL import Image
from torch import nn
from torch.nn import functional as F

from synthreal.batch import LabelledImages, synthetic_batch
from synthreal.datamodules import MixedDataModule
from synthreal.datasets import ImageDataset
from synthreal.datasets.files import LabelledFiles
from synthreal.generators import ImageGenerator
from synthreal.spaces import Categorical, Continuous, Product
from tests.trainer_parts import quiet_trainer

CLASSES = ("ant", "bee", "cow")
FIRST = {"train": 0, "validation": 100, "test": 200}
SIDE = 8


class Photos(ImageDataset):
    """Noise, classes in turn; the first pixel is the number of the image: 0 on to train, 200 on to test."""

    classes = CLASSES

    def __init__(self, train=18, validation=0, test=11, first=FIRST, side=SIDE):
        self.count = {"train": train, "validation": validation, "test": test}
        self.splits = tuple(split for split, count in self.count.items() if count)
        self.first, self.side = first, side

    def load(self, split):
        number = np.arange(self.count[split]) + self.first[split]
        pixels = np.stack(
            [np.random.default_rng(i).integers(0, 256, (1, self.side, self.side), np.uint8) for i in number]
        )
        pixels[:, 0, 0, 0] = number
        return LabelledImages(torch.from_numpy(pixels), torch.from_numpy(number % 3), self.classes)


class PhotoFiles(Photos):
    """The same images as grey files."""

    def load(self, split):
        images = super().load(split)
        paths = {name: [] for name in CLASSES}
        for pixels, label in zip(images.images, images.labels.tolist(), strict=True):
            path = Path(f"{split}_{int(pixels[0, 0, 0])}.png").resolve()
            if not path.exists():
                Image.fromarray(pixels[0].numpy()).save(path)
            paths[CLASSES[label]].append(path)
        return LabelledFiles.of_classes(paths, self.side)


class Stripes(ImageGenerator):
    """A pattern of the seed below a grey level of the parameters; `held` makes it a finite set."""

    num_classes = 3

    def __init__(self, classes=CLASSES, side=SIDE, channels=1, held=None):
        self.side, self.channels, self.held, self.made = side, channels, held, 0
        self.space = Product([Categorical("class", classes), Continuous("grey", 0.5, 1.0, 4)])

    def stored(self):
        return self.held

    def generate(self, draws, device):
        self.made += len(draws["seed"])
        pattern = (draws["seed"] % 9973)[:, None] * torch.arange(1, self.side**2 + 1) % 97 / 97
        image = (
            (pattern * draws["parameters"][:, 1:]).view(-1, 1, self.side, self.side).expand(-1, self.channels, -1, -1)
        )
        return synthetic_batch(image, draws["parameters"][:, 0].long(), draws)


class Plus(nn.Module):
    """Adds a constant, to be recognised by."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, image):
        return image + self.value


class Noise(nn.Module):
    """Nothing but random numbers."""

    def forward(self, image):
        return torch.rand_like(image)


class Tiny(LightningModule):
    """A linear classifier that remembers what it has seen."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(SIDE**2, len(CLASSES))
        self.trained, self.validated, self.tested = {}, [], {}

    def training_step(self, batch, batch_idx):
        self.trained[self.trainer.global_step] = batch["image"].clone()
        return F.cross_entropy(self.layer(batch["image"].mean(1).flatten(1)), batch["label"])

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch["image"])

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.tested.setdefault(dataloader_idx, []).append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9)


def make(dataset=None, generator=None, **settings):
    options = {"batch_size": 8, "seed": 3, **settings}
    return MixedDataModule(dataset or Photos(), generator or Stripes(), **options)


def ready(*args, stage="fit", **settings):
    data = make(*args, **settings)
    data.setup(stage)
    return data


def trainer(folder=".", devices=1, callbacks=(), **limits):
    return quiet_trainer(
        default_root_dir=folder,
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        enable_checkpointing=bool(callbacks),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        callbacks=list(callbacks),
        **limits,
    )


def numbers(images):
    """Which of the real images these are."""
    return (images[:, 0, 0, 0] * (255 if images.is_floating_point() else 1)).round().int().tolist()


def epoch(data):
    return [data.assemble(draws, step) for step, draws in enumerate(data.sampler)]


def scored(data, **settings):
    model = Tiny()
    trainer(**settings).test(model, datamodule=data, verbose=False)
    return {
        name: {key: torch.cat([batch[key] for batch in model.tested[i]]) for key in ("image", "label", "index")}
        for i, name in enumerate(data.sets)
    }
