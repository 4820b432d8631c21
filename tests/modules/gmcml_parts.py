"""Small networks, data and trainings for the tests of GM-CML."""

from functools import cached_property

import torch
from torch import nn

from synthreal.batch import LabelledImages, synthetic_batch
from synthreal.datamodules import ForegroundDataModule
from synthreal.datamodules.foreground import Phase
from synthreal.datasets import ImageDataset
from synthreal.generators import ImageGenerator
from synthreal.modules import GMCML
from synthreal.networks import Reconstruction, Reconstructor
from synthreal.spaces import Categorical, Circular, Product
from tests.trainer_parts import quiet_trainer

CLASSES = ("red", "green", "blue")
SIDE = 8
POSES = 24


class Shift(Reconstructor):
    """Adds a learned colour; its latent is the mean colour."""

    def __init__(self):
        super().__init__()
        self.colour = nn.Parameter(torch.tensor([0.1, -0.2, 0.3]))

    def forward(self, image):
        mean = image.mean((2, 3))
        return Reconstruction(image + self.colour[:, None, None], mean, mean - 1)


class Flat(nn.Module):
    """A linear layer after another one."""

    def __init__(self, num_classes, in_channels=3, width=6, side=SIDE):
        super().__init__()
        self.first = nn.Linear(in_channels * side * side, width)
        self.last = nn.Linear(width, num_classes)

    def forward(self, image):
        return self.last(self.first(image.flatten(1)).tanh())


class Codes(ImageGenerator):
    """Classes are colours; each of 24 poses is a random pattern: how near two poses are cannot be seen."""

    def __init__(self, foreground=True, poses=POSES):
        self.num_classes, self.poses, self.foreground = len(CLASSES), poses, foreground
        self.space = Product([Categorical("class", CLASSES), Circular("azimuth", poses)])

    @cached_property
    def patterns(self):
        return torch.rand(self.poses, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def generate(self, draws, device):
        label, azimuth = draws["parameters"].unbind(1)
        label, pose = label.long(), (azimuth * self.poses / 360).long() % self.poses
        target = torch.eye(3)[label][:, :, None, None].expand(-1, -1, SIDE, SIDE)
        image = 0.5 * self.patterns[pose][:, None] + 0.5 * target
        made = synthetic_batch(image, label, draws)
        return {**made, "semantic": target.clone()} if self.foreground else made


class Colours(ImageDataset):
    """Real images of the same classes."""

    classes = CLASSES

    def load(self, split):
        random = torch.Generator().manual_seed(len(split))
        images = torch.randint(256, (30, 3, SIDE, SIDE), generator=random, dtype=torch.uint8)
        return LabelledImages(images, torch.arange(30) % 3, self.classes)


def gmcml(**settings):
    torch.manual_seed(0)
    here = "tests.modules.gmcml_parts"
    parts = {"num_classes": 3, "reconstructor": f"{here}.Shift", "classifier": f"{here}.Flat"}
    return GMCML(**{**parts, "optimizer": "torch.optim.SGD", "optimizer_args": {"lr": 0.01}, **settings})


def data(*phases, **settings):
    phases = phases or (Phase(Codes(), 300),)
    sizes = {"batch_size": 20, "steps_per_epoch": 4, "test_size": 60, "seed": 3, "gallery_size": 50}
    return ForegroundDataModule(list(phases), **{**sizes, **settings})


def trainer(**settings):
    return quiet_trainer(**{"log_every_n_steps": 1, **settings})


class Alone(ForegroundDataModule):
    """Has one test set, without a name."""

    def test_dataloader(self):
        (loader,) = super().test_dataloader().values()
        return loader
