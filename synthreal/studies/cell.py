"""One run of a study, up to one of its steps."""

import json
import logging
import shutil
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from synthreal.errors import ConfigError, SynthrealError
from synthreal.experiment import ExperimentCLI
from synthreal.studies.spec import Study, file_name

_REPORT_EVERY = 10


class Milestone(Callback):
    """Reports steps as they are made, and saves a checkpoint when one of them is reached.

    Not a ModelCheckpoint: its state would change from one part of a run to the next.
    """

    def __init__(self, step: int, checkpoint: Path, report: Callable[[int], None]) -> None:
        self.step, self.checkpoint, self.report = step, checkpoint, report

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Reports every ten steps; saves before Lightning ends an epoch that is only cut short.

        A batch of several optimiser steps may pass the step: training ends with it all the same.
        """
        if trainer.global_step % _REPORT_EVERY == 0:
            self.report(_REPORT_EVERY)
        if trainer.global_step >= self.step:
            trainer.save_checkpoint(self.checkpoint)


def check_variants(study: Study, variants: Iterable[str]) -> None:
    """Builds variants and loads their data, so that a mistake shows before anything is trained.

    Variants with equal settings of the datamodule, defaults included, load it once.

    Raises:
        ConfigError: If a variant overrides a setting that does not exist, or a part of it finds a mistake.
    """
    quiet()
    loaded: set[str] = set()
    for variant in variants:
        try:
            cli = ExperimentCLI([*study.arguments(variant, study.seeds[0]), "--trainer.logger=false"], run=False)
            if (data := repr(cli.config["data"])) not in loaded:
                loaded.add(data)
                for stage in ("fit", "test") if "test" in study.stages else ("fit",):
                    cli.datamodule.setup(stage)
        except SystemExit as error:
            raise ConfigError(f"{study.path}: variant {variant!r} does not parse, see above.") from error
        except SynthrealError as error:
            raise ConfigError(f"{study.path}: variant {variant!r}: {error}") from error


def seed_folder(runs: Path, variant: str, seed: int) -> Path:
    """Returns the folder of a run."""
    return runs / file_name(variant) / f"seed_{seed}"


def cell_folder(runs: Path, variant: str, seed: int, step: int) -> Path:
    """Returns the folder of a run's part that ends at a step."""
    return seed_folder(runs, variant, seed) / f"step_{step}"


def run_cell(
    study: Study,
    variant: str,
    seed: int,
    step: int,
    runs: Path,
    report: Callable[[int], None],
    wandb: bool = False,
) -> dict[str, Any]:
    """Trains a variant with a seed up to a step, from the step before if the study has one, and scores it.

    Args:
        study: The study.
        variant: Name of the variant.
        seed: Seed.
        step: One of the study's steps; the step before it must have been run.
        runs: Folder of the study's runs.
        report: Receives numbers of training steps as they are made.
        wandb: Log to W&B too.

    Returns:
        variant, seed, step, metric, its value, seconds, hash of the settings, and the study's further scores by name.

    Raises:
        ConfigError: If the checkpoint to go on from is gone, training ends before the step, the run does not log the
            metric or a score, or the configs change meanwhile.
    """
    resumed = _checkpoint_before(study, variant, seed, step, runs)
    folder = cell_folder(runs, variant, seed, step)
    shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed: it has no result
    start, settings = time.perf_counter(), study.settings_hash(variant)
    name = f"{variant}/seed_{seed}" if wandb else None
    cli = ExperimentCLI([*study.arguments(variant, seed), *_segment(folder, step, name)], run=False)
    callbacks: list[Callback] = cli.trainer.callbacks  # type: ignore[attr-defined]
    callbacks.append(Milestone(step, folder / "last.ckpt", report))
    try:
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resumed)
        _check_trained(study, variant, step, cli.trainer.global_step, settings)
        scores = _scores(study, cli)
    finally:
        if wandb:
            _end_wandb_run()
    return {
        "variant": variant,
        "seed": seed,
        "step": step,
        "metric": study.metric,
        "value": scores[study.metric],
        "seconds": round(time.perf_counter() - start, 1),
        "settings": settings,
        **{name: scores[name] for name in study.scores},
    }


def _check_trained(study: Study, variant: str, step: int, reached: int, settings: str) -> None:
    """Raises an error if training ended before the step, or if it may not have had the settings of this hash."""
    if study.settings_hash(variant) != settings:
        raise ConfigError(
            f"{study.path}: its configs were edited while {variant!r} trained. Nothing was recorded: run it again."
        )
    if reached < step:
        raise ConfigError(
            f"{study.path}: the training of {variant!r} ended after {reached} steps, and the study asks for {step}. "
            "Let its configs train on (trainer.max_epochs, EarlyStopping, a model's own end), or lower steps."
        )


def _end_wandb_run() -> None:
    """Ends the W&B run of this process, for Lightning would log the next cell to it."""
    import wandb

    wandb.finish()


def _scores(study: Study, cli: ExperimentCLI) -> dict[str, float]:
    """What validation and test log, as far as the study asks for them."""
    logged: dict[str, float] = {}
    for stage, evaluate in (("val", cli.trainer.validate), ("test", cli.trainer.test)):
        if stage in study.stages:
            for of_loader in evaluate(cli.model, datamodule=cli.datamodule, verbose=False):
                logged.update(of_loader)
    if missing := [name for name in (study.metric, *study.scores) if name not in logged]:
        raise ConfigError(f"{study.path}: {missing} were not logged; there are {sorted(logged)}.")
    return logged


def _checkpoint_before(study: Study, variant: str, seed: int, step: int, runs: Path) -> Path | None:
    before = max((s for s in study.steps if s < step), default=None)
    if before is None:
        return None
    path = cell_folder(runs, variant, seed, before) / "last.ckpt"
    if not path.is_file():
        raise ConfigError(
            f"{variant}, seed {seed}, cannot go on to step {step}: no checkpoint at {path}. Remove its rows from "
            f"{runs / 'results.csv'} to run it from the start."
        )
    return path


def _segment(folder: Path, step: int, wandb_name: str | None) -> list[str]:
    # JSON, for a variant's name may have commas and colons.
    csv = {"class_path": "CSVLogger", "init_args": {"save_dir": str(folder.parent), "name": "", "version": folder.name}}
    both = [csv, {"class_path": "WandbLogger", "init_args": {"save_dir": str(folder.parent), "name": wandb_name}}]
    return [
        f"--trainer.max_steps={step}",
        f"--trainer.logger={json.dumps(both if wandb_name else csv)}",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
        "--trainer.enable_checkpointing=false",
    ]


def quiet() -> None:
    """Keeps Lightning's notes about each run out of the way of the study's one progress bar."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")


def prepare_worker() -> None:
    """Gives this process one thread, so that as many runs as cores do not fight for them, and keeps it quiet."""
    torch.set_num_threads(1)
    quiet()
