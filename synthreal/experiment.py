"""From a config to a run: LightningCLI, the run's folder, and what is saved beside its results."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

# Imported so that a config can name their classes without a path.
import synthreal.callbacks
import synthreal.datamodules
import synthreal.datasets
import synthreal.generators
import synthreal.modules  # noqa: F401
from synthreal.callbacks import RandomState, UnfinishedEpoch
from synthreal.callbacks.records import run_folder
from synthreal.checkpoints import read_checkpoint
from synthreal.errors import ConfigError, SynthrealError
from synthreal.files import replacing
from synthreal.provenance import provenance

# No validation images asked for; a run resumed or tested into a folder of its own, as always here; a name of torch's
# that Lightning still uses; what other packages would sell.
warnings.filterwarnings("ignore", "The dirpath has changed")
warnings.filterwarnings("ignore", "Total length of .* across ranks is zero")
warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda record: "💡" not in record.getMessage())

_COMMANDS = ("fit", "validate", "test", "predict")
_BAR_EVERY = 20  # Lightning's default bar takes 0.5 to 1 ms of every step


class SaveRun(SaveConfigCallback):
    """Saves `config.yaml` and `provenance.json` in the run's folder, and logs the config to every logger."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Writes both files; a folder that has them already (a resumed run) gets a numbered pair."""
        if (folder := run_folder(trainer)) is None:
            return
        number = len(list(folder.glob("config*.yaml")))
        suffix = f"_{number + 1}" if number else ""
        text = self.parser.dump(self.config, skip_none=False)
        with replacing(folder / f"config{suffix}.yaml") as beside:
            beside.write_text(text, encoding="utf-8")
        with replacing(folder / f"provenance{suffix}.json") as beside:
            beside.write_text(json.dumps(provenance(getattr(trainer, "datamodule", None)), indent=2) + "\n")
        for logger in trainer.loggers:
            if not isinstance(logger, CSVLogger):
                logger.log_hyperparams(self.config.as_dict())


class ExperimentCLI(LightningCLI):
    """LightningCLI with any model and any data, classes by short name, and a CSV log whatever else is asked for.

    Args:
        args: Command line, without the program's name.
        run: True to run the subcommand that `args` starts with; False to only build model, data and trainer.
    """

    def __init__(self, args: Sequence[str], run: bool = True) -> None:
        super().__init__(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=SaveRun,
            save_config_kwargs={"save_to_log_dir": False},
            # The samplers give each process its share themselves.
            trainer_defaults={"use_distributed_sampler": False, "callbacks": [RandomState(), UnfinishedEpoch()]},
            seed_everything_default=0,
            # `--trainer.max_epoch` must not pass for `--trainer.max_epochs`.
            parser_kwargs={"allow_abbrev": False, **{name: {"allow_abbrev": False} for name in _COMMANDS}},
            auto_configure_optimizers=False,
            args=list(args),
            run=run,
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses `args` only, whatever is on the process's own command line."""
        self.config = parser.parse_args(args)

    def _parse_ckpt_path(self) -> None:
        """Instead of replacing the config's model by the checkpoint's in silence: they must agree.

        Raises:
            ConfigError: If there is no checkpoint, it is damaged, or its hyperparameters differ from the config's.
        """
        path = self._settings().get("ckpt_path")
        if path in (None, "best", "last", "hpc"):
            return
        saved = read_checkpoint(path, "--ckpt_path").get("hyper_parameters", {})
        given = self._settings()["model"].get("init_args", Namespace()).as_dict()
        different = [
            f"{key}: {saved[key]!r} in the checkpoint, {given[key]!r} in the config"
            for key in given
            if key in saved and saved[key] != given[key]
        ]
        if different:
            raise ConfigError(f"{path} was made with other model settings; {'; '.join(different)}.")

    def _settings(self) -> Namespace:
        config: Namespace = self.config
        return config[config.subcommand] if config.get("subcommand") else config

    def before_instantiate_classes(self) -> None:
        """Lets `predict` keep no predictions unless it is asked to: a writer has them, and they fill the memory."""
        if self.subcommand == "predict" and self._settings()["return_predictions"] is None:
            self._settings()["return_predictions"] = False

    def instantiate_classes(self) -> None:
        """Builds model, data and trainer.

        Raises:
            SynthrealError: What a constructor says, which jsonargparse would bury in a list of types that do not fit.
        """
        try:
            super().instantiate_classes()
        except ValueError as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, SynthrealError):
                cause = cause.__cause__ or cause.__context__
            raise cause or error from None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the trainer, with a CSV logger in `runs/<name of the first config>` unless `logger` is false."""
        asked = self._get(self.config_init, "trainer")["logger"]
        loggers: list[Logger] = asked if isinstance(asked, list) else [asked] if isinstance(asked, Logger) else []
        if any(isinstance(logger, WandbLogger) for logger in loggers):
            _offline_without_account()
        if asked is not False and not any(isinstance(logger, CSVLogger) for logger in loggers):
            root = self._get(self.config_init, "trainer")["default_root_dir"] or "runs"
            loggers = [*loggers, CSVLogger(root, name=self._name())]
        return super().instantiate_trainer(logger=loggers or False, callbacks=self._callbacks(), **kwargs)

    def _callbacks(self) -> list[Callback]:
        """The config's callbacks, with a progress bar that costs little unless there is another or none is wanted."""
        trainer = self._get(self.config_init, "trainer")
        asked = trainer["callbacks"] or []
        callbacks = list(asked) if isinstance(asked, list) else [asked]
        if trainer["enable_progress_bar"] is not False and not any(isinstance(c, ProgressBar) for c in callbacks):
            callbacks.append(TQDMProgressBar(refresh_rate=_BAR_EVERY))
        return callbacks

    def _name(self) -> str:
        configs = self._settings().get("config") or []
        return Path(str(configs[0])).stem if configs else "unnamed"


def _offline_without_account() -> None:
    """Lets W&B run without an account: offline, unless there is a key or the user has chosen a mode."""
    import wandb

    if "WANDB_MODE" not in os.environ and wandb.api.api_key is None:
        os.environ["WANDB_MODE"] = "offline"
        sys.stderr.write("synthreal: no W&B key found, logging offline; `wandb sync` uploads the run later.\n")
