"""Test sets and models for the table of predictions."""

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader


def images(count, seed):
    """Real-looking test images: pixels, label, number."""
    stream = torch.Generator().manual_seed(seed)
    return {
        "image": torch.rand(count, 1, 28, 28, generator=stream),
        "label": torch.randint(10, (count,), generator=stream),
        "index": torch.arange(count),
    }


def batches(table, size, rank=0, world_size=1):
    own = torch.arange(len(table["label"]))[rank::world_size]
    return [{name: column[part] for name, column in table.items()} for part in own.split(size)]


class TestSets(LightningDataModule):
    """Two test sets of unequal size, or the first alone; each process has its share."""

    __test__ = False

    def __init__(self, alone=False, without=()):
        super().__init__()
        self.sets = {"real": images(11, 1)} if alone else {"real": images(11, 1), "bare": images(5, 2)}
        self.alone = alone
        for table in self.sets.values():
            for name in without:
                del table[name]

    def test_dataloader(self):
        share = self.trainer.global_rank, self.trainer.world_size
        loaders = {name: DataLoader(batches(table, 2, *share), batch_size=None) for name, table in self.sets.items()}
        return loaders["real"] if self.alone else loaders


class Padded(TestSets):
    """Gives the first image to every process, in front of its share."""

    def test_dataloader(self):
        first = {name: [batches(table, 1)[0]] for name, table in self.sets.items()}
        share = self.trainer.global_rank, self.trainer.world_size
        return {
            name: DataLoader(first[name] + batches(table, 3, *share), batch_size=None)
            for name, table in self.sets.items()
        }


class Silent(LightningModule):
    """Predicts nothing."""

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        return {"loss": batch["image"].sum()}
