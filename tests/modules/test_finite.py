"""Losses that are no numbers, and what is said of them."""

import math

import pytest
import torch
from torch import nn

from synthreal.errors import TrainingError
from synthreal.modules.finite import require_finite, require_finite_weights


def test_finite_losses_and_none_at_all_pass():
    largest = -torch.finfo(torch.float32).max * torch.ones(())
    require_finite({}, "at step 1", "Wait.")
    require_finite({"pair": torch.zeros(()), "triplet": largest}, "at step 1", "Wait.")
    with pytest.raises(TrainingError, match="triplet"):
        require_finite({"pair": torch.zeros(()), "triplet": 2 * largest}, "at step 1", "Wait.")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_broken_loss_is_named_with_place_and_advice(value):
    losses = {"pair": torch.ones(()), "triplet": torch.tensor(value), "total": torch.tensor(math.nan)}
    text = rf"^The triplet loss is {value} at step 3\. Wait\. The last checkpoint is sound\.$"
    with pytest.raises(TrainingError, match=text):
        require_finite(losses, "at step 3", "Wait.")


def test_finite_weights_and_none_at_all_pass():
    layer = nn.Linear(2, 2)
    layer.bias.data[1] = torch.finfo(torch.float32).max
    require_finite_weights(nn.ReLU(), "at step 1", "Wait.")
    require_finite_weights(layer, "at step 1", "Wait.")
    layer.bias.data[1] *= 2
    with pytest.raises(TrainingError, match="bias"):
        require_finite_weights(layer, "at step 1", "Wait.")


def test_broken_statistics_are_found_and_masks_are_not_taken_for_such():
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    module.register_buffer("mask", torch.full((2, 2), -math.inf))
    require_finite_weights(module, "at step 1", "Wait.")
    module[1].running_var[1] = math.nan
    with pytest.raises(TrainingError, match=r"1\.running_var are no numbers at step 3"):
        require_finite_weights(module, "at step 3", "Wait.")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_broken_weights_are_named(value):
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight.data[1, 0] = module[2].bias.data[0] = value
    text = r"^The weights 1\.weight are no numbers at step 3\. Wait\. The last checkpoint is sound\.$"
    with pytest.raises(TrainingError, match=text):
        require_finite_weights(module, "at step 3", "Wait.")
