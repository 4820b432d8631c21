"""The table of predictions, from one process and from two, and what it refuses."""

import pandas as pd
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from synthreal.callbacks import Predictions
from synthreal.errors import ConfigError
from synthreal.modules import Classifier
from tests.callbacks.predictions_parts import Padded, Silent, TestSets


def run_test(folder, data, model=None, **settings):
    trainer = Trainer(
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[Predictions()],
        **{"logger": CSVLogger(folder, name="", version="run"), **settings},
    )
    trainer.test(model or classifier(), datamodule=data, verbose=False)
    return trainer


def classifier():
    torch.manual_seed(0)
    return Classifier()


def expected(sets):
    """The table by hand, from the probabilities of all images of a set at once."""
    module, parts = classifier().eval(), []
    for name, table in sets.items():
        probability = module(table["image"]).softmax(1).detach()
        parts.append(
            pd.DataFrame(
                {
                    "set": name,
                    "index": range(len(probability)),
                    "label": table["label"].tolist(),
                    "prediction": probability.argmax(1).tolist(),
                    "confidence": probability.amax(1).tolist(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def assert_same(written, table):
    pd.testing.assert_frame_equal(written.drop(columns="confidence"), table.drop(columns="confidence"))
    assert written["confidence"].tolist() == pytest.approx(table["confidence"].tolist(), abs=1e-5)


def test_every_image_of_every_test_set_has_its_row(tmp_path):
    data = TestSets()
    run_test(tmp_path, data)
    assert_same(pd.read_csv(tmp_path / "run" / "predictions.csv"), expected(data.sets))
    assert not list((tmp_path / "run").glob(".*"))  # nothing is left beside it


def test_a_single_test_set_is_called_test(tmp_path):
    data = TestSets(alone=True)
    run_test(tmp_path, data)
    assert_same(pd.read_csv(tmp_path / "run" / "predictions.csv"), expected({"test": data.sets["real"]}))


def test_a_second_test_starts_anew(tmp_path):
    trainer = run_test(tmp_path, TestSets())
    data = TestSets(alone=True)
    trainer.test(classifier(), datamodule=data, verbose=False)
    assert_same(pd.read_csv(tmp_path / "run" / "predictions.csv"), expected({"test": data.sets["real"]}))


# Eleven and five images do not divide by two, and one process has a batch more; padded, an image comes twice.
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
@pytest.mark.filterwarnings("ignore:.*recommended to use.*DistributedSampler.*")
@pytest.mark.filterwarnings("ignore:Using `DistributedSampler`")
def test_two_processes_write_what_one_does(tmp_path, padded):
    data = Padded() if padded else TestSets()
    run_test(tmp_path, data, devices=2, strategy="ddp_fork", use_distributed_sampler=False)
    assert_same(pd.read_csv(tmp_path / "run" / "predictions.csv"), expected(data.sets))


def test_images_without_numbers_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"MixedDataModule gives; these batches hold image, label\."):
        run_test(tmp_path, TestSets(without=["index"]))
    assert not (tmp_path / "run" / "predictions.csv").exists()


def test_a_model_that_does_not_say_what_it_predicts_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"as Classifier's does; Silent's returns something else"):
        run_test(tmp_path, TestSets(), Silent())


@pytest.mark.parametrize("settings", [{"logger": False}, {"fast_dev_run": True}])
def test_without_a_folder_nothing_is_kept(tmp_path, settings):
    run_test(tmp_path, TestSets(), default_root_dir=tmp_path, **settings)
    assert not list(tmp_path.rglob("predictions.csv"))
