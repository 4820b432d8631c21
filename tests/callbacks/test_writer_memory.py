"""Images that were written are kept neither in memory nor by the command line."""

import json
import weakref
from pathlib import Path

import pytest
from lightning.pytorch import Callback, Trainer

from synthreal.callbacks import DatasetWriter
from synthreal.cli import main
from synthreal.experiment import ExperimentCLI
from synthreal.modules import Passthrough
from tests.callbacks.writer_parts import COUNT, data_set, manifest, predict


class Alive(Callback):
    """Counts the images that are still in memory."""

    def __init__(self):
        self.images, self.most = [], 0

    def on_predict_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.images.append(weakref.ref(outputs["image"]))
        self.most = max(self.most, sum(image() is not None for image in self.images))


def test_images_are_not_kept(tmp_path):
    alive = Alive()
    predict(tmp_path / "out", data_set(batch_size=1), callbacks=[alive])
    assert len(alive.images) == COUNT
    assert alive.most <= 2


def test_keeping_them_is_warned_about(tmp_path):
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=[DatasetWriter(str(tmp_path / "out"))])
    with pytest.warns(UserWarning, match="return_predictions=False"):
        trainer.predict(Passthrough(), datamodule=data_set())


CONFIG = """
model: {class_path: Passthrough}
data:
  class_path: GeneratedDataModule
  init_args: {generator: Augment, source: {class_path: Digits, init_args: {train_size: 500}}, count: 20, batch_size: 6}
trainer:
  accelerator: cpu
  enable_progress_bar: false
  callbacks: [{class_path: DatasetWriter, init_args: {output: out}}]
"""


def test_the_command_line_writes_and_keeps_nothing(tmp_path, capsys):
    Path("digits.yaml").write_text(CONFIG)
    cli = ExperimentCLI(["predict", "--config", "digits.yaml"])
    assert cli.trainer.predict_loop.return_predictions is False
    assert cli.trainer.predict_loop.predictions == []
    assert len(manifest(Path("out"))) == 20
    run = tmp_path / "runs" / "digits" / "version_0"
    for name in ("config.yaml", "provenance.json"):
        assert Path("out", name).read_bytes() == (run / name).read_bytes()
    described = json.loads(Path("out/dataset.json").read_text())
    assert json.loads(Path("out/provenance.json").read_text())["data_sha256"] == described["fingerprint"]
    assert described["classes"] == [str(i) for i in range(10)]
    assert main(["predict", "--config", "digits.yaml", "--seed_everything=1"]) == 2
    assert "other settings (fingerprint;" in capsys.readouterr().err
    assert main(["preview", "--config", "digits.yaml"]) == 0
    assert Path("preview.png").read_bytes().startswith(b"\x89PNG")
