"""The command line as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torchvision.datasets import mnist

from synthreal.cli import main
from synthreal.modules import Classifier

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / "experiments"
DIGITS = EXPERIMENTS / "sampleahead" / "digits.yaml"
QUICK = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--data.num_probes=160",
    "--data.steps_per_epoch=3",
]


FEW = ["--trainer.accelerator=cpu", "--data.count=8", "--data.batch_size=4"]


def module_of(path):
    return yaml.safe_load(path.read_text()).get("model", {}).get("class_path")


CONFIGS = sorted(EXPERIMENTS.rglob("*.yaml"))
WRITES = [path for path in CONFIGS if module_of(path) == "Passthrough"]
RUNS = [path for path in CONFIGS if module_of(path) not in (None, "Passthrough")]
LAYERS = sorted((EXPERIMENTS / "trainer").glob("*.yaml"))


def write_mnist(root):
    """Random digits in MNIST's true on-disk format."""
    random = np.random.default_rng(0)
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 1300), ("t10k", 40)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        header = np.array([0x0803, count, 28, 28], dtype=">i4").tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = np.array([0x0801, count], dtype=">i4").tobytes()
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    assert mnist.MNIST(root).data.shape == (1300, 28, 28)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_shipped_config_runs(path, tmp_path):
    write_mnist(tmp_path / "data")
    assert main(["fit", "--config", str(path), "--trainer.fast_dev_run=true", *QUICK]) == 0


@pytest.mark.parametrize("path", WRITES, ids=lambda path: path.stem)
def test_every_shipped_data_set_is_written_and_previewed(path, tmp_path):
    output = tmp_path / "out"
    assert main(["predict", "--config", str(path), *FEW, f"--trainer.callbacks.init_args.output={output}"]) == 0
    assert len((output / "manifest.csv").read_text().splitlines()) == 9
    assert main(["preview", "--config", str(path), *FEW]) == 0
    assert (tmp_path / "preview.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("layer", LAYERS, ids=lambda path: path.stem)
def test_every_trainer_layer_names_settings_that_exist(layer, capsys):
    args = ["fit", "--config", str(DIGITS), "--config", str(layer), "--print_config"]
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 0
    printed = yaml.safe_load(capsys.readouterr().out)["trainer"]
    expected = yaml.safe_load(layer.read_text())["trainer"]
    assert {key: printed[key] for key in expected} == expected


def test_fit_then_test_then_predict(tmp_path, capsys):
    assert main(["fit", "--config", str(DIGITS), "--trainer.max_steps=4", *QUICK]) == 0
    run = tmp_path / "runs" / "digits" / "version_0"
    (checkpoint,) = (run / "checkpoints").glob("*.ckpt")
    provenance = json.loads((run / "provenance.json").read_text())
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["max_steps"] == 4
    assert provenance["packages"]["torch"] == torch.__version__.split("+")[0]
    assert len(provenance["data_sha256"]["train"]) == 64
    assert sorted(path.name for path in (run / "buckets").iterdir()) == ["epoch_0001.npz", "epoch_0002.npz"]
    assert {path.name for path in (run / "figures").iterdir()} == {"buckets.png", "effective_share.png"}
    assert "sampler/effective_share" in (run / "metrics.csv").read_text()

    assert main(["test", "--config", str(DIGITS), "--ckpt_path", str(checkpoint), *QUICK]) == 0
    assert "test/error" in (tmp_path / "runs" / "digits" / "version_1" / "metrics.csv").read_text()
    assert main(["predict", "--config", str(DIGITS), "--ckpt_path", str(checkpoint), *QUICK]) == 0
    capsys.readouterr()

    assert main(["test", "--config", str(DIGITS), "--ckpt_path", "nowhere.ckpt", *QUICK]) == 2
    assert "No checkpoint at nowhere.ckpt" in capsys.readouterr().err
    changed = ["--model.network_args={image_size: 20}"]
    assert main(["test", "--config", str(DIGITS), "--ckpt_path", str(checkpoint), *QUICK, *changed]) == 2
    assert "other model settings" in capsys.readouterr().err


def test_checkpoints_from_python_and_cli_load_by_default(tmp_path):
    from lightning.pytorch import Trainer

    model = Classifier(network_args={"image_size": 16}, optimizer_args={"lr": 0.1})
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "python.ckpt")
    again = Classifier.load_from_checkpoint(tmp_path / "python.ckpt")
    assert torch.equal(again.network.fc1.weight, model.network.fc1.weight)
    assert again.hparams["optimizer_args"] == {"lr": 0.1}

    main(["fit", "--config", str(DIGITS), "--trainer.max_steps=2", *QUICK])
    (checkpoint,) = (tmp_path / "runs").rglob("*.ckpt")
    loaded = Classifier.load_from_checkpoint(checkpoint)
    assert loaded.hparams["bias_rate"] == 2
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 2


def error_of(capsys, *args):
    try:
        status = main(["fit", "--config", str(DIGITS), "--trainer.fast_dev_run=true", *QUICK, *args])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--trainer.max_epoch=3", ["max_epoch"]),
        ("--data.real_per_bach=8", ["real_per_bach"]),
        ("--model.optimizer_args.learning_rate=1", ["torch.optim.SGD", "learning_rate", "momentum"]),
        ("--model.network=synthreal.networks.LeNot", ["LeNot"]),
        ("--model.network=resnet19", ["resnet19", "torchvision"]),
        ("--trainer.callbacks.init_args.alpha=1.5", ["alpha", "1.5"]),
        ("--trainer.callbacks.init_args.beta=-1", ["beta", "-1"]),
        ("--data.num_probes=0", ["num_probes"]),
        ("--data.dataset={class_path: MNIST, init_args: {root: nowhere}}", ["nowhere", "download"]),
        ("--data.generator.init_args.num_classes=7", ["num_classes", "10"]),
        ("--data.dataset.init_args.image_size=20", ["image_size 16", "20"]),
        ("--data.real_per_class=200", ["260", "train"]),
    ],
)
def test_a_mistake_is_named(capsys, argument, words):
    error = error_of(capsys, argument)
    assert all(word in error for word in words), error


def test_a_nan_loss_stops_before_a_checkpoint(tmp_path, capsys):
    args = ["--trainer.max_steps=20", "--model.optimizer_args.lr=1e30"]
    assert main(["fit", "--config", str(DIGITS), *QUICK, *args]) == 2
    assert "earning rate" in capsys.readouterr().err
    assert not list((tmp_path / "runs").rglob("*.ckpt"))


def test_preview_draws_what_would_be_trained_on(tmp_path, capsys):
    assert main(["preview", "--config", str(DIGITS), "--output=sheet.png", *QUICK]) == 0
    assert capsys.readouterr().out.strip().endswith("sheet.png")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_csv_is_written_beside_wandb(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    import wandb

    args = ["fit", "--config", str(DIGITS), "--trainer.max_steps=4", "--trainer.logger=WandbLogger", *QUICK]
    assert main(args) == 0
    config = dict(wandb.run.config)
    wandb.finish()
    assert config["data"]["init_args"]["real_per_batch"] == 60
    assert list((tmp_path / "wandb").glob("offline-run-*"))
    (metrics,) = (tmp_path / "runs").rglob("metrics.csv")
    assert "sampler/beta" in metrics.read_text()


def test_logger_false_is_obeyed(tmp_path):
    args = ["--trainer.max_steps=2", "--trainer.logger=false", "--trainer.enable_checkpointing=false"]
    assert main(["fit", "--config", str(DIGITS), *QUICK, *args]) == 0
    assert not list(tmp_path.rglob("metrics.csv"))


def test_help_is_fast_and_imports_nothing_heavy():
    code = "import sys; from synthreal.cli import main; main(['--help']); print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "usage: synthreal" in out
    assert not any(f"'{name}'" in out for name in ("torch", "lightning", "numpy", "wandb", "matplotlib"))


def test_unknown_command(capsys):
    assert main(["fti"]) == 2
    assert "'fti'" in capsys.readouterr().err


def test_version(capsys):
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip() == "0.1.0"
