"""Features of a classifier that was trained before."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from synthreal.errors import ConfigError
from synthreal.modules import Classifier, ClassifierFeatures, Passthrough
from tests.modules.gmcml_parts import gmcml


def saved(module, path):
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path)
    return str(path)


def test_they_are_what_the_last_layer_sees_and_stay_as_they_are(tmp_path):
    module = Classifier(num_classes=3, network="synthreal.networks.ResNet", network_args={"depth": 8})
    features = ClassifierFeatures(saved(module, tmp_path / "a.ckpt"))
    image = torch.rand(4, 3, 16, 16)
    head = module.network.head
    found = features(image)
    assert found.shape == (4, 64)
    assert torch.allclose(nn.functional.linear(found, head.weight, head.bias), module.eval()(image), atol=1e-6)
    assert not any(p.requires_grad for p in features.parameters())


def test_another_modules_checkpoint_and_none_at_all(tmp_path):
    for module in (Passthrough(), gmcml()):
        with pytest.raises(ConfigError, match="no checkpoint of a Classifier"):
            ClassifierFeatures(saved(module, tmp_path / "a.ckpt"))
    with pytest.raises(ConfigError, match=r"No checkpoint at nowhere\.ckpt"):
        ClassifierFeatures("nowhere.ckpt")
