"""What DatasetWriter refuses: other settings, folders of something else, full disks, batches that lack a picture."""

import errno
from pathlib import Path

import pytest
from lightning.pytorch import LightningModule

from synthreal.datamodules import BucketDataModule, GeneratedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Augment
from synthreal.modules import Classifier
from tests.callbacks.writer_parts import data_set, manifest, pixels, predict, tree


@pytest.mark.parametrize(
    ("data", "writer", "word"),
    [
        ({"count": 21}, {}, "count"),
        ({"batch_size": 5}, {}, "part_size"),
        ({"seed": 4}, {}, "fingerprint"),
        ({"blue": 0.3}, {}, "fingerprint"),
        ({"names": ["ant", "bee", "cow"]}, {}, "classes"),
        ({}, {"layout": "shards"}, "layout"),
        ({}, {"outputs": ["mask"]}, "pictures"),
        ({}, {"transparent": True}, "transparent"),
    ],
)
def test_another_setting_is_refused(tmp_path, data, writer, word):
    predict(tmp_path / "out", limit=2)
    before = tree(tmp_path / "out")
    with pytest.raises(ConfigError, match=f"other settings .*{word}.*another output"):
        predict(tmp_path / "out", data_set(**data), **writer)
    assert tree(tmp_path / "out") == before


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"dear to me")
    with pytest.raises(ConfigError, match=r"photo\.jpg.*no data set"):
        predict(tmp_path)
    (tmp_path / "dataset.json").write_text("[1, 2")
    with pytest.raises(ConfigError, match="no description"):
        predict(tmp_path)
    (tmp_path / "dataset.json").write_text("[1, 2]")
    with pytest.raises(ConfigError, match="no description"):
        predict(tmp_path)
    assert sorted(tree(tmp_path)) == ["dataset.json", "photo.jpg"]


def test_a_disk_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot be written to.*exists"):
        predict(tmp_path / "file")

    written, write_bytes = [], Path.write_bytes

    def full(self, content):
        written.append(self)
        if len(written) == 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ConfigError, match="No space left on device"):
            predict(tmp_path / "out")
    predict(tmp_path / "out")
    predict(tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_nothing_is_claimed_when_a_picture_is_missing(tmp_path):
    data = GeneratedDataModule(Augment(), 10, source=Digits(train_size=500), seed=1)
    with pytest.raises(ConfigError, match="no mask"):
        predict(tmp_path / "out", data, outputs=["mask"])
    predict(tmp_path / "out", data)
    assert pixels((tmp_path / "out" / manifest(tmp_path / "out")[0]["path"]).read_bytes()).shape == (16, 16)


@pytest.mark.parametrize("names", [["a/b", "c", "d"], ["..", "c", "d"], ["", "c", "d"], ["Cup", "cup", "d"]])
def test_classes_that_make_no_folders_are_named(tmp_path, names):
    with pytest.raises(ConfigError, match="Classes name folders"):
        predict(tmp_path / "out", data_set(names=names))


def test_a_module_or_data_that_gives_no_batches_is_named(tmp_path):
    class Scores(LightningModule):
        def predict_step(self, batch, batch_idx):
            return batch["label"]

    with pytest.raises(ConfigError, match=r"Passthrough.*Scores"):
        predict(tmp_path / "out", module=Scores())
    with pytest.raises(ConfigError, match="not a BucketDataModule"):
        predict(
            tmp_path / "out",
            BucketDataModule(Digits(), Augment()),
            Classifier(network_args={"image_size": 16}),
        )
    assert not (tmp_path / "out").exists() or not tree(tmp_path / "out")
