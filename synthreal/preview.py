"""What a config would train on, or write, as a picture, beforehand."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.cli import LightningArgumentParser
from matplotlib.figure import Figure
from torch import Tensor

from synthreal.batch import Domain
from synthreal.datamodules import BucketDataModule, ForegroundDataModule, GeneratedDataModule, MixedDataModule
from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.files import replacing
from synthreal.plots import contact_sheet

Previewed = BucketDataModule | ForegroundDataModule | GeneratedDataModule | MixedDataModule
"""Datamodules that have `classes` and `preview`."""


class PreviewCLI(ExperimentCLI):
    """Builds what a config describes, and draws the images that it would train on or write."""

    def __init__(self, args: Sequence[str]) -> None:
        super().__init__(args, run=False)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds `--output`."""
        parser.add_argument("--output", type=str, default="preview.png", help="Where the contact sheet goes.")

    def draw(self) -> Path:
        """Writes the contact sheet and returns its path.

        Raises:
            ConfigError: If the datamodule has nothing to preview.
        """
        if not hasattr(self.datamodule, "preview"):
            raise ConfigError(f"{type(self.datamodule).__name__} has no preview.")
        path = Path(self.config["output"])
        with replacing(path) as beside:
            preview_figure(self.datamodule).savefig(beside, format="png", dpi=120)
        return path


def preview_panels(datamodule: Previewed) -> dict[str, tuple[Tensor, Tensor]]:
    """Returns images and labels of a datamodule, set up: real ones, synthetic ones, and the foregrounds of these."""
    batch = datamodule.preview()
    rows = {domain.name.lower(): batch["domain"] == domain for domain in Domain}
    panels = {name: (batch["image"][row], batch["label"][row]) for name, row in rows.items() if bool(row.any())}
    if "semantic" in batch:
        panels["foreground"] = batch["semantic"], batch["label"]
    return panels


def preview_figure(datamodule: Previewed) -> Figure:
    """Returns the contact sheet of what a datamodule hands over, real and synthetic images side by side."""
    datamodule.setup("fit")
    return contact_sheet(preview_panels(datamodule), datamodule.classes)
