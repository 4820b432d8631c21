"""Small networks, batches and trainings for the tests of MrGAN."""

from pathlib import Path

import pandas as pd
import torch
from lightning.pytorch import Callback
from torch.utils.data import DataLoader

from synthreal.datamodules import UnpairedDataModule
from synthreal.datasets import Digits
from synthreal.generators import Glyphs
from synthreal.modules import MrGAN
from tests.trainer_parts import quiet_trainer

# 2 + 1 + 2 × 2 batches a stage, 9 optimiser steps
NUMBERS = {
    "iterations": 2,
    "decay_from": 1,
    "generator_updates": 2,
    "pretrain_generators": 2,
    "pretrain_discriminators": 1,
}
PER_STAGE = 7


def mrgan(stages=("r-s", "rr-rs"), **settings):
    torch.manual_seed(0)
    tiny = {"generator": "c7s1-4,d8,R8,u4,c7s1-1", "discriminator": "C4,C8", "in_channels": 1, "pool_size": 5}
    return MrGAN(stages=list(stages), **{**tiny, **NUMBERS, **settings})


def digits(**settings):
    options = {"batch_size": 4, "steps_per_epoch": 5, "test_size": 20, "seed": 1, **settings}
    return UnpairedDataModule(Digits(8, 200), Glyphs(8), **options)


def batches(count, pairs=4, channels=1, seed=0):
    """Smooth bright images, then smooth dark ones, class by class."""
    random = torch.Generator().manual_seed(seed)
    label = torch.arange(pairs).repeat(2)
    domain = torch.tensor([0, 1]).repeat_interleave(pairs)
    light = torch.where(domain == 0, 0.3, 0.1)[:, None, None, None]
    made = []
    for _ in range(count):
        spots = torch.rand(2 * pairs, channels, 2, 2, generator=random) ** 3
        spots = 0.4 * spots.repeat_interleave(4, 2).repeat_interleave(4, 3)
        noise = 0.02 * torch.randn(2 * pairs, channels, 8, 8, generator=random)
        made.append({"image": (spots + light + noise).clamp(0, 1), "label": label, "domain": domain})
    return made


def loader(made):
    return DataLoader(made, batch_size=None)


def quiet(**settings):
    return quiet_trainer(**{"use_distributed_sampler": False, "max_epochs": -1, **settings})


def fit(module, made=None, resume=None, data=None, **settings):
    trainer = quiet(**settings)
    source = {"datamodule": data} if data is not None else {"train_dataloaders": loader(made)}
    trainer.fit(module, **source, ckpt_path=resume)
    return trainer


def state(module):
    """Every weight and statistic, pools aside."""
    return {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


def differing(before, after, prefix=""):
    return [name for name in before if name.startswith(prefix) and not torch.equal(before[name], after[name])]


class Watch(Callback):
    """Calls a function with the module after each training batch."""

    def __init__(self, function):
        self.function = function

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.function(trainer, pl_module)


def rows(folder):
    return pd.read_csv(Path(folder) / "metrics.csv")
