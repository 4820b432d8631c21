"""Samples of a few classes, for the tests of triplet sets."""

import numpy as np
import torch


def lit(count=3):
    """Four poses of two classes, each under `count` lights twice, in no order."""
    pose, light, label = (each.ravel() for each in np.meshgrid(range(4), [*range(count)] * 2, range(2)))
    order = np.random.default_rng(5).permutation(len(pose))
    view = torch.zeros(len(pose), 3)
    view[:, 0] = torch.from_numpy(30.0 * pose[order])
    return torch.from_numpy(label[order]), view, torch.from_numpy(light[order]).float()[:, None].repeat(1, 2)


def unequal(counts=(9, 20, 30)):
    """Classes of unequal numbers, random viewpoints."""
    random = np.random.default_rng(2)
    label = torch.from_numpy(random.permutation(np.arange(len(counts)).repeat(counts)))
    view = torch.from_numpy(random.uniform([0, -90, -180], [360, 90, 180], (len(label), 3)))
    return label, view.float(), None
