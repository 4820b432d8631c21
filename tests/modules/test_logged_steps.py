"""The loss is written at the steps that Lightning writes, in a resumed run too."""

import pandas as pd
import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from tests.modules.classifier_parts import batch_of, classifier, loader_of
from tests.trainer_parts import quiet_trainer


def losses_written(folder, name, steps, ckpt_path=None, **settings):
    saved = ModelCheckpoint(folder / name, "end", save_on_train_epoch_end=True)
    options = {"logger": CSVLogger(folder, name="", version=name), "enable_checkpointing": True, "callbacks": [saved]}
    trainer = quiet_trainer(max_steps=steps, log_every_n_steps=5, **{**options, **settings})
    # No validation batches, as our data modules have it: after a resume Lightning counts a step more than there was.
    trainer.fit(classifier(), loader_of(*(batch_of(seed=seed) for seed in range(5))), [], ckpt_path=ckpt_path)
    return pd.read_csv(folder / name / "metrics.csv")["train/loss"].dropna()


@pytest.mark.filterwarnings("ignore:.*is not resumable")
def test_a_resumed_run_writes_as_many_losses_and_each_once(tmp_path):
    first = losses_written(tmp_path, "first", 10)
    assert len(first) == 2
    rest = losses_written(tmp_path, "rest", 25, ckpt_path=tmp_path / "first" / "end.ckpt")
    assert len(rest) == 3
    assert rest.is_unique


def test_batches_whose_gradients_accumulate_are_one_step(tmp_path):
    assert len(losses_written(tmp_path, "run", 5, accumulate_grad_batches=5)) == 1
