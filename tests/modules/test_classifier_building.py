"""A classifier's network, optimiser and schedule, and the mistakes that are found before training."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from synthreal.errors import ConfigError
from synthreal.modules import Classifier
from synthreal.modules.classifier import build_network
from synthreal.networks import LeNet
from synthreal.schedules import InverseDecay
from tests.modules.classifier_parts import CREATE_MODEL, Linear, batch_of, classifier, with_trainer


def test_biases_learn_at_their_own_rate():
    module = Classifier(optimizer_args={"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4}, bias_rate=2.0)
    weights, biases = module.configure_optimizers().param_groups
    assert (weights["lr"], biases["lr"]) == (0.05, 0.1)
    assert biases["momentum"] == weights["momentum"] == 0.9
    names = {id(parameter): name for name, parameter in module.network.named_parameters()}
    layers = ["conv1", "conv2", "fc1", "fc2"]
    assert [names[id(parameter)] for parameter in weights["params"]] == [f"{layer}.weight" for layer in layers]
    assert [names[id(parameter)] for parameter in biases["params"]] == [f"{layer}.bias" for layer in layers]


def test_one_step_moves_biases_twice_as_far():
    module = classifier(optimizer_args={"lr": 0.1}, bias_rate=2.0)
    with_trainer(module)
    layer = module.network.layer
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    optimizer = module.configure_optimizers()
    module.training_step(batch_of(), 0)["loss"].backward()
    optimizer.step()
    np.testing.assert_allclose((weight - layer.weight.detach()).numpy(), 0.1 * layer.weight.grad.numpy(), atol=1e-7)
    np.testing.assert_allclose((bias - layer.bias.detach()).numpy(), 0.2 * layer.bias.grad.numpy(), atol=1e-7)


def test_every_parameter_has_a_rate_once():
    module = Classifier(network="resnet18", bias_rate=2.0)
    groups = module.configure_optimizers().param_groups
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in module.parameters())


def test_a_schedule_is_built_with_its_interval():
    settings = {"schedule": "synthreal.schedules.InverseDecay", "schedule_args": {"gamma": 0.5, "power": 1.0}}
    made = classifier(optimizer_args={"lr": 0.3}, bias_rate=2.0, schedule_interval="epoch", **settings)
    made = made.configure_optimizers()
    assert isinstance(made["lr_scheduler"]["scheduler"], InverseDecay)
    assert made["lr_scheduler"]["interval"] == "epoch"
    made["optimizer"].step()
    made["lr_scheduler"]["scheduler"].step()
    rates = [group["lr"] for group in made["optimizer"].param_groups]
    assert rates == pytest.approx([0.3 / 1.5, 0.6 / 1.5])
    assert classifier(**settings).configure_optimizers()["lr_scheduler"]["interval"] == "step"


def test_a_plateau_schedule_follows_the_validation_loss():
    settings = {"schedule": "torch.optim.lr_scheduler.ReduceLROnPlateau", "schedule_args": {"patience": 3}}
    made = classifier(**settings).configure_optimizers()["lr_scheduler"]
    assert isinstance(made["scheduler"], lr_scheduler.ReduceLROnPlateau)
    assert made["monitor"] == "val/loss"
    assert made.get("interval", "epoch") == "epoch"


def test_networks_come_by_class_path_or_torchvision_name():
    lenet = build_network("synthreal.networks.LeNet", 7, {"image_size": 20})
    assert isinstance(lenet, LeNet)
    assert lenet.fc2.out_features == 7
    resnet = build_network("resnet18", 7, {})
    assert resnet.fc.out_features == 7
    # 11,689,512 with 1,000 classes; each class has 513 parameters
    assert sum(p.numel() for p in resnet.parameters()) == 11_689_512 - 993 * 513
    # no `num_classes` to pass on
    assert isinstance(build_network("torch.nn.Flatten", 7, {}), nn.Flatten)
    assert build_network("synthreal.networks.LeNet", 7, {"num_classes": 3}).fc2.out_features == 3


def test_a_function_may_build_the_network():
    made = build_network(CREATE_MODEL, 7, {"model_name": "linear", "pixels": 5})
    assert isinstance(made, Linear)
    assert (made.layer.in_features, made.layer.out_features) == (5, 7)
    module = Classifier(num_classes=7, network=CREATE_MODEL, network_args={"model_name": "linear"})
    assert module(torch.rand(3, 1, 2, 2)).shape == (3, 7)
    resnet = build_network("torchvision.models.resnet18", 7, {})
    assert resnet.fc.out_features == 7


def test_a_networks_own_mistake_comes_through_as_it_is():
    with pytest.raises(TypeError, match="unsupported operand"):
        build_network(CREATE_MODEL, 7, {"model_name": "broken"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_classes": 1}, "at least 2 classes"),
        ({"network": "resnet19"}, "'resnet19' is neither"),
        ({"network": "synthreal.networks.LeNett"}, "LeNett"),
        ({"network": "torch.optim.SGD"}, "not a subclass of torch"),
        ({"network_args": {"size": 3}}, "size"),
        ({"optimizer": "torch.optim.SDG"}, "SDG"),
        ({"optimizer": "torch.nn.Linear"}, "not a subclass"),
        ({"optimizer_args": {"learning_rate": 0.1}}, "learning_rate.*It takes: lr"),
        ({"schedule": "torch.optim.lr_scheduler.Step"}, "Step"),
        ({"schedule": "torch.optim.lr_scheduler.StepLR"}, "step_size"),
        # a torchvision model answers an unknown argument with its own TypeError
        ({"network": "resnet18", "network_args": {"depth": 3}}, "depth"),
        # a function answers what it only passes on with a TypeError, too
        ({"network": CREATE_MODEL, "network_args": {"model_name": "linear", "depth": 3}}, "depth"),
        ({"network": CREATE_MODEL}, "model_name.*It takes: model_name, pretrained"),
        # optical flow: in torchvision's list, but no classifier
        ({"network": "raft_small"}, "raft_small"),
    ],
)
def test_a_typo_fails_before_any_data_is_read(settings, message):
    with pytest.raises(ConfigError, match=message):
        Classifier(**settings)


def test_a_network_with_auxiliary_logits_is_built_without_them():
    network = build_network("googlenet", 3, {"init_weights": False})
    assert network.aux1 is None
    assert isinstance(network.train()(torch.rand(2, 3, 32, 32)), torch.Tensor)
    assert build_network("googlenet", 3, {"init_weights": False, "aux_logits": True}).aux1 is not None
