"""How far training is, as alignment is told it, and trainings without a known end."""

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.utils.data import DataLoader, IterableDataset

from synthreal.errors import ConfigError
from tests.modules.alignment_parts import CORAL, DANN, FIVE, RECORDER, batch_of, classifier, fit
from tests.modules.classifier_parts import with_trainer
from tests.trainer_parts import quiet_trainer


@pytest.mark.parametrize(
    ("settings", "count", "steps"),
    [
        ({"max_steps": 8}, 8, 8),
        ({"max_steps": 8, "max_epochs": -1}, 8, 8),
        ({"max_epochs": 2}, 10, 10),
        # 3 optimiser steps an epoch: of two batches, two and one
        ({"max_epochs": 2, "accumulate_grad_batches": 2}, 10, 6),
    ],
)
def test_progress_goes_from_0_to_1_over_the_optimisers_steps(settings, count, steps):
    module = classifier(RECORDER)
    fit(module, **settings)
    taken = range(count) if steps == count else [0, 0, 1, 1, 2, 3, 3, 4, 4, 5]
    assert module.alignment.seen == pytest.approx([step / steps for step in taken])


def test_progress_goes_on_after_a_checkpoint_and_anew_in_another_training(tmp_path):
    module = classifier(RECORDER)
    fit(module, max_steps=4).save_checkpoint(tmp_path / "half.ckpt")
    again = classifier(RECORDER)
    fit(again, max_steps=8, resume=tmp_path / "half.ckpt")
    assert again.alignment.seen == pytest.approx([0.5, 0.625, 0.75, 0.875])
    again.alignment.seen.clear()
    fit(again, max_steps=2)
    assert again.alignment.seen == pytest.approx([0, 0.5])


def test_progress_stays_1_where_loaders_grew_longer_than_estimated(monkeypatch):
    monkeypatch.setattr(Trainer, "estimated_stepping_batches", 10)
    module = classifier(RECORDER)
    module.trainer = quiet_trainer()
    module.on_train_start()
    for step in (9, 10, 12):
        with_trainer(module, step)
        module.training_step(batch_of(), 0)
    assert module.alignment.seen == [0.9, 1, 1]


class Endless(IterableDataset):
    """Batches without end."""

    def __iter__(self):
        while True:
            yield batch_of()


class StopAfter(Callback):
    """Ends a training that would go on for ever."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = trainer.global_step >= 3


OPEN = [
    ({"max_epochs": -1}, FIVE),
    ({"max_epochs": 2}, DataLoader(Endless(), batch_size=None)),
    ({"max_time": {"hours": 1}}, FIVE),
]


@pytest.mark.parametrize(("settings", "batches"), OPEN)
def test_dann_does_not_train_without_a_known_end(settings, batches):
    module = classifier(DANN)
    before = module.network.body.weight.detach().clone()
    with pytest.raises(ConfigError, match=r"which is nan.*set trainer\.max_steps or max_epochs"):
        fit(module, batches, callbacks=[StopAfter()], **settings)
    assert torch.equal(module.network.body.weight, before)


@pytest.mark.filterwarnings("ignore:.*max_epochs.*")
@pytest.mark.parametrize(("settings", "batches"), OPEN[1:])
def test_coral_trains_without_a_known_end(settings, batches):
    trainer = fit(classifier(CORAL), batches, callbacks=[StopAfter()], **settings)
    assert trainer.global_step >= 3
