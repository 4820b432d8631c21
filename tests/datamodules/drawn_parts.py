"""A model for the tests of data modules with a sampler."""

import torch
from lightning.pytorch import LightningModule
from torch import nn


class Seen(LightningModule):
    """Remembers what it is given."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.trained, self.tested = [], {}

    def training_step(self, batch, batch_idx):
        self.trained.append(int(batch["image"]))
        return self.layer(batch["image"].view(1, 1)).sum()

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.tested.setdefault(dataloader_idx, []).append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)
