"""The command line as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from synthreal.cli import main
from synthreal.experiment import ExperimentCLI
from synthreal.modules import Classifier, Passthrough
from tests.shipped_data import name_of, options, quick
from tests.trainer_parts import quiet_trainer

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
DIGITS = EXPERIMENTS / "sampleahead" / "digits.yaml"
QUICK = options(quick(DIGITS))

CONTENTS = {path: yaml.safe_load(path.read_text()) for path in sorted(EXPERIMENTS.rglob("*.yaml"))}
MODELS = {
    path: content["model"]["class_path"]
    for path, content in CONTENTS.items()
    if "class_path" in content.get("model", ())
}
WRITES = [path for path, model in MODELS.items() if model == "Passthrough"]
RUNS = [path for path in MODELS if path not in WRITES]
PARTS = {"model", "data", "trainer"}
LAYERS = [path for path, content in CONTENTS.items() if path not in MODELS and not content.keys() - PARTS]
PHOTOS = EXPERIMENTS / "mixing" / "photos.yaml"
# A config that each layer is made for; those for a kind of machine go over any.
UNDER = {"two_d": EXPERIMENTS / "mixing" / "cifar_da9.yaml", "settings": PHOTOS, "three_tests": PHOTOS}
UNDER |= {"digits_classifier": EXPERIMENTS / "mixing" / "digits.yaml", "vehicles_classifier": PHOTOS}
UNDER |= {"five_tests": PHOTOS, "cpu": DIGITS, "gpu": DIGITS, "ddp": DIGITS, "bf16": DIGITS}


def scores_of(path):
    """What a test with a shipped config logs, or part of it."""
    data = CONTENTS[path]["data"]
    further = data["init_args"].get("tests", ())
    if MODELS[path] == "MrGAN":
        distances = {f"test/frechet/to_{domain}_{k}" for domain in ("real", "synthetic") for k in (0, 1)}
        return distances | {f"test/{name}/{score}" for name in ("real", "synthetic") for score in ("change", "cycle")}
    if MODELS[path] == "GMCML":
        return {f"test/{name}/{score}" for name in further for score in ("error", "nn_error")}
    sets = [f"{name}/" for name in ("real", *further)] if data["class_path"] == "MixedDataModule" else [""]
    return {f"test/{name}error" for name in sets}


@pytest.mark.parametrize("path", RUNS, ids=name_of)
@pytest.mark.usefixtures("in_folder_with_data")
@pytest.mark.filterwarnings("ignore:The trainer stops before the last")  # an MrGAN says so of a single batch
def test_every_shipped_config_trains_and_scores_every_test_set(path):
    cli = ExperimentCLI(["fit", "--config", str(path), *options(quick(path)), "--trainer.fast_dev_run=true"])
    scores = cli.trainer.test(cli.model, datamodule=cli.datamodule, verbose=False)
    assert scores_of(path) <= {name for scores_of_set in scores for name in scores_of_set}


@pytest.mark.parametrize("path", WRITES, ids=name_of)
@pytest.mark.usefixtures("in_folder_with_data")
def test_every_shipped_data_set_is_written_and_previewed(path, tmp_path):
    output = tmp_path / "out"
    args = ["--config", str(path), *options(quick(path))]
    assert main(["predict", *args, f"--trainer.callbacks.init_args.output={output}"]) == 0
    assert len((output / "manifest.csv").read_text().splitlines()) == 5
    assert main(["preview", *args]) == 0
    assert (tmp_path / "preview.png").read_bytes().startswith(b"\x89PNG")


def test_vehicles_are_rendered_on_photos_that_show_none(shipped_data):
    on_photos, plain = (
        pd.read_csv(shipped_data / "data" / name / "manifest.csv") for name in ("vehicles", "vehicles_plain")
    )
    photos = {path.name for path in (shipped_data / "data" / "photos").iterdir()}
    assert set(on_photos["background"]) == photos - {"n02701002_ambulance.jpg"}
    assert "background" not in plain


def contains(given, part):
    """Whether settings hold those of a layer, in which classes may be called by their short names."""
    if isinstance(part, dict):
        return part.keys() <= given.keys() and all(contains(given[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(given) == len(part) and all(map(contains, given, part))
    return given == part or (isinstance(part, str) and given.endswith(f".{part}"))


@pytest.mark.parametrize("layer", LAYERS, ids=name_of)
def test_every_layer_names_settings_that_exist(layer, capsys):
    args = ["fit", "--config", str(UNDER[layer.stem]), "--config", str(layer), "--print_config"]
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 0
    assert contains(yaml.safe_load(capsys.readouterr().out), CONTENTS[layer])


def test_the_shipped_sweep_names_settings_that_exist(monkeypatch, capsys):
    sweep = CONTENTS[EXPERIMENTS / "sampleahead" / "sweep.yaml"]
    args = [word for word in sweep["command"] if word.startswith("--")]
    args += [f"--{key}={choice['values'][0]}" for key, choice in sweep["parameters"].items()]
    monkeypatch.chdir(EXPERIMENTS.parent)
    with pytest.raises(SystemExit) as stop:
        main(["fit", *args, "--print_config"])
    assert stop.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["trainer"]["callbacks"][0]["init_args"]["beta"] == 1.0


def test_every_shipped_file_is_tried():
    others = [content for path, content in CONTENTS.items() if path not in {*MODELS, *LAYERS}]
    assert all(content.keys() & {"seeds", "method"} for content in others)  # studies have a test file, the sweep a test


def test_fit_then_test_then_predict(tmp_path, capsys):
    assert main(["fit", "--config", str(DIGITS), "--trainer.max_steps=6", *QUICK]) == 0
    run = tmp_path / "runs" / "digits" / "version_0"
    (checkpoint,) = (run / "checkpoints").glob("*.ckpt")
    provenance = json.loads((run / "provenance.json").read_text())
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["max_steps"] == 6
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


def test_a_damaged_checkpoint_is_refused_before_anything_is_built(tmp_path, capsys):
    (tmp_path / "cut.ckpt").write_bytes(b"PK\x03\x04 cut short")
    assert main(["test", "--config", str(DIGITS), "--ckpt_path", str(tmp_path / "cut.ckpt"), *QUICK]) == 2
    assert "cut.ckpt is no checkpoint" in capsys.readouterr().err


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


def test_a_checkpoint_of_a_model_without_settings_is_taken(tmp_path):
    config = EXPERIMENTS / "rendering" / "glyph_digits.yaml"
    trainer = quiet_trainer()
    trainer.strategy.connect(Passthrough())
    trainer.save_checkpoint(tmp_path / "nothing.ckpt")
    args = ["--config", str(config), *options(quick(config)), "--ckpt_path", str(tmp_path / "nothing.ckpt")]
    assert main(["predict", *args, f"--trainer.callbacks.init_args.output={tmp_path / 'out'}"]) == 0


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
