"""A linear network, batches and trainers for the tests of the classifier."""

import types
from unittest.mock import Mock

import numpy as np
import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch import nn

from synthreal.batch import Domain
from synthreal.modules import Classifier

LINEAR, CREATE_MODEL = "tests.modules.classifier_parts.Linear", "tests.modules.classifier_parts.create_model"


class Linear(nn.Module):
    """One linear layer on the pixels."""

    def __init__(self, num_classes: int, pixels: int = 4) -> None:
        super().__init__()
        self.layer = nn.Linear(pixels, num_classes)

    def forward(self, image):
        return self.layer(image.flatten(1))


def create_model(model_name, pretrained=False, **settings) -> nn.Module:
    """A function of timm's form: the number of classes is among what it passes on."""
    if model_name == "broken":
        return 1 + "one"
    assert model_name == "linear"
    assert not pretrained
    return Linear(**settings)


def classifier(num_classes=6, **settings):
    torch.manual_seed(0)
    return Classifier(num_classes, network=LINEAR, **settings)


def batch_of(count=9, num_classes=6, seed=0, dtype=torch.float32):
    stream = torch.Generator().manual_seed(seed)
    return {
        "image": torch.rand(count, 1, 2, 2, generator=stream, dtype=dtype),
        "label": torch.randint(num_classes, (count,), generator=stream),
        "domain": torch.full((count,), Domain.REAL.value),
    }


def with_trainer(module, step=0, every=50):
    """A trainer's numbers, and what is logged."""
    loops = types.SimpleNamespace(epoch_loop=types.SimpleNamespace(_batches_that_stepped=step))
    module.trainer = Mock(spec=Trainer, global_step=step, log_every_n_steps=every, fit_loop=loops)
    logged = {}
    module.log = lambda name, value, **_: logged.__setitem__(name, value)
    return logged


def softmax(logits):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def loader_of(*batches):
    return torch.utils.data.DataLoader(batches, batch_size=None)


def batches_with_every_class(first_seed):
    batches = [batch_of(count, seed=first_seed + i) for i, count in enumerate((9, 9, 4))]
    batches[0]["label"][:6] = torch.arange(6)
    return batches


class Shares(LightningDataModule):
    """Two test sets, each batch seen by one process."""

    def __init__(self):
        super().__init__()
        self.sets = {"real": batches_with_every_class(1), "made": batches_with_every_class(20)}

    def test_dataloader(self):
        rank, count = self.trainer.global_rank, self.trainer.world_size
        return {name: loader_of(*batches[rank::count]) for name, batches in self.sets.items()}
