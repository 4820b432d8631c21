"""Flat objects and backgrounds, and images pasted of them, for the tests of CutPaste."""

import numpy as np
import torch

from synthreal.batch import Draws, synthetic_batch
from synthreal.datasets.pictures import PictureSource, shared
from synthreal.generators import CutPaste, ImageGenerator
from synthreal.spaces import Categorical, Circular, Product

CPU = torch.device("cpu")
SIZE = 48


def turned(angle):
    """Matrix of a counter-clockwise turn on screen, where y runs down."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[c, s], [-s, c]])


class Stamp(ImageGenerator):
    """Draws one premultiplied picture for each class."""

    def __init__(self, *rgba, views=1):
        self.rgba = torch.stack(rgba)
        self.num_classes = len(rgba)
        classes = Categorical("class", [f"class_{i}" for i in range(len(rgba))])
        self.space = Product([classes, Circular("azimuth", views)])

    def generate(self, draws, device):
        label = draws["parameters"][:, 0].long()
        batch = synthetic_batch(self.rgba[label, :3], label, draws)
        batch["mask"] = self.rgba[label, 3:]
        return batch


class Even(PictureSource):
    """One picture of one colour."""

    def __init__(self, *colour):
        self.colour = colour or (0, 0, 0)

    def load(self, classes):
        colour = torch.tensor(self.colour, dtype=torch.uint8).view(1, 3, 1, 1)
        return shared(colour.repeat(1, 1, 16, 16), ["even"], len(classes))


def blobs(size=SIZE):
    """A smooth object with no symmetry, straight colours and alpha."""
    y, x = torch.meshgrid(*[(torch.arange(size) + 0.5) / size * 2 - 1] * 2, indexing="ij")

    def blob(at, width):
        return torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * width**2))

    alpha = (blob((0.1, -0.35), 0.25) + 0.8 * blob((-0.35, 0.2), 0.18)).clamp(max=1)
    colour = torch.stack([0.5 + 0.4 * x, 0.5 + 0.4 * y, 0.5 - 0.3 * x])
    return colour, alpha[None]


def premultiplied(colour, alpha):
    return torch.cat([colour * alpha, alpha])


def opaque(size=SIZE, seed=0):
    colour = torch.rand(3, size, size, generator=torch.Generator().manual_seed(seed))
    return torch.cat([colour, torch.ones(1, size, size)])


REST = {"angle": 0, "scale": 1, "right": 0.5, "down": 0.5, "background": 0.5}


def make(generator, seed=0, **given):
    """One image; the object as large as fits, upright in the middle, but for what is given."""
    u = generator.space.centres()[:1]
    for name, value in (REST | given).items():
        u[0, generator.space.columns.index(name.replace("_", " "))] = value
    draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.tensor([seed]))
    return generator.generate(draws, CPU)


def cut_paste(rgba, background=None, **changes):
    return CutPaste(Stamp(rgba), background or Even(), SIZE, scale=(0.05, 1), **changes)
