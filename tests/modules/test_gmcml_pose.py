"""Where poses can be told but not seen to be near, metric learning lays descriptors out by pose."""

import numpy as np
import torch
from scipy.stats import spearmanr

from synthreal.datamodules.foreground import Phase
from synthreal.networks.modes import evaluating
from synthreal.samplers import geodesic_distance, quaternions
from tests.modules.gmcml_parts import POSES, Codes, data, gmcml, trainer


def correlation(module):
    """Of the distances of descriptors and of poses, over all pairs of a class."""
    azimuth = torch.arange(POSES) * 360 / POSES + 1
    draws = {"bucket": torch.arange(POSES), "parameters": torch.stack([torch.zeros(POSES), azimuth], 1)}
    image = Codes().generate({**draws, "seed": torch.arange(POSES)}, torch.device("cpu"))["image"]
    with evaluating(module), torch.no_grad():
        descriptor = module.network.recognise(image, image).descriptor
    pose = quaternions(torch.stack([azimuth, torch.zeros(POSES), torch.zeros(POSES)], 1))
    one, other = np.triu_indices(POSES, 1)
    apart = (descriptor[one] - descriptor[other]).square().sum(1)
    return spearmanr(apart, geodesic_distance(pose[one], pose[other])).statistic


def test_distances_of_descriptors_follow_poses_after_training_and_not_before():
    module = gmcml(
        reconstructor=None,
        classifier_args={"width": 32},
        softmax_weight=0.0,
        optimizer="torch.optim.Adam",
        optimizer_args={"lr": 0.003},
        margin=10.0,
    )
    before = correlation(module)
    poses = Phase(Codes(), 3 * POSES)  # each once, so that the nearest is the next one
    made = data(poses, batch_size=100, steps_per_epoch=100, far=90.0)
    trainer(max_steps=1000, log_every_n_steps=100).fit(module, datamodule=made)
    after = correlation(module)
    assert abs(before) < 0.2
    assert after > 0.6
