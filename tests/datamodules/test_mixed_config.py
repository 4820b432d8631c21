"""Mixed data in a config: transforms by their names, and a run repeated from what it saved."""

from pathlib import Path

import kornia.augmentation as K
import yaml

from synthreal.cli import main
from synthreal.experiment import ExperimentCLI

DIGITS = Path(__file__).parents[2] / "experiments" / "mixing" / "digits.yaml"

TRANSFORMS = """
data:
  init_args:
    curriculum: {2: [1, 0]}
    real_transform:
      - class_path: kornia.augmentation.RandomHorizontalFlip
      - {class_path: kornia.augmentation.RandomCrop, init_args: {size: [16, 16], padding: 2}}
    synthetic_transform:
      - {class_path: kornia.augmentation.RandomErasing, init_args: {p: 1.0}}
    evaluation_transform:
      - {class_path: kornia.augmentation.CenterCrop, init_args: {size: 16}}
"""
QUICK = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]


def test_transforms_are_named_in_a_config(tmp_path):
    (tmp_path / "transforms.yaml").write_text(TRANSFORMS)
    data = ExperimentCLI(["--config", str(DIGITS), "--config", "transforms.yaml", *QUICK], run=False).datamodule
    real, synthetic = data.transforms.values()
    assert [type(step) for step in real] == [K.RandomHorizontalFlip, K.RandomCrop]
    assert real[1].flags["padding"] == 2
    assert [type(step) for step in (*synthetic, *data.evaluation_transform)] == [K.RandomErasing, K.CenterCrop]
    assert data.counts == {0: (64, 64), 2: (128, 0)}
    data.setup("fit")
    assert data.preview(128)["image"].shape == (128, 1, 16, 16)


def test_a_run_is_repeated_from_its_saved_config(tmp_path):
    (tmp_path / "transforms.yaml").write_text(TRANSFORMS)
    args = ["fit", "--config", str(DIGITS), "--config", "transforms.yaml", "--trainer.max_steps=2", *QUICK]
    assert main([*args, "--trainer.log_every_n_steps=1"]) == 0
    run = tmp_path / "runs" / "digits" / "version_0"
    saved = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]
    assert [step["class_path"] for step in saved["real_transform"]] == [
        "kornia.augmentation.RandomHorizontalFlip",
        "kornia.augmentation.RandomCrop",
    ]
    assert main(["fit", "--config", str(run / "config.yaml")]) == 0
    again = tmp_path / "runs" / "config" / "version_0"
    metrics = (run / "metrics.csv").read_text()
    assert "train/loss" in metrics
    assert (again / "metrics.csv").read_text() == metrics
