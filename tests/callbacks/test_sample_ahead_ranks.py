"""Processes whose statistics differ probe one and the same model."""

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from synthreal.callbacks import SampleAhead
from synthreal.callbacks.records import read_bucket_record
from synthreal.datamodules import BucketDataModule
from synthreal.datasets import Digits
from synthreal.generators import Augment
from tests.trainer_parts import quiet_trainer


class TakesAllForItsStatistic(LightningModule):
    """Answers with a class that it keeps as batch norm keeps a mean: a process has its own after a step."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("answer", torch.zeros(1))

    def forward(self, image):
        return nn.functional.one_hot(self.answer.long(), 10).expand(len(image), 10) * 10.0

    def training_step(self, batch, batch_idx):
        self.answer.fill_(self.global_rank)
        return (self.weight * 0).sum()

    def validation_step(self, batch, batch_idx):
        raise AssertionError("no validation images were asked for")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
def test_the_statistics_of_the_first_process_are_probed(tmp_path):
    settings = {"real_per_class": 5, "probe_images_per_class": 3, "num_probes": 320, "steps_per_epoch": 2}
    logger = CSVLogger(tmp_path, name="", version="run")
    two = {"devices": 2, "strategy": "ddp_fork", "use_distributed_sampler": False}
    callback = SampleAhead(beta=1.0, figures=False)
    trainer = quiet_trainer(max_epochs=1, log_every_n_steps=1, logger=logger, callbacks=[callback], **two)
    trainer.fit(TakesAllForItsStatistic(), datamodule=BucketDataModule(Digits(train_size=500), Augment(), **settings))
    _, difficulty, _ = read_bucket_record(tmp_path / "run")
    assert difficulty.reshape(10, 16).tolist() == [[0.0] * 16] + [[1.0] * 16] * 9
