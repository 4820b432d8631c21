"""`synthreal study run | report | sweep`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import auto_cli

from synthreal.studies.spec import load_study


def run(
    study: str,
    runs: str | None = None,
    jobs: int | None = None,
    variant: str = "",
    seed: int | None = None,
    wandb: bool = False,
) -> None:
    """Run what is missing of a study. Killed and started again, it goes on.

    Args:
        study: The study file.
        runs: Folder of the runs; by default runs/<name of the study>.
        jobs: Processes at a time, one thread each; by default one a core.
        variant: Run only this variant; by default all.
        seed: Run only this seed.
        wandb: Log every run to W&B too.
    """
    from synthreal.studies.runner import run_study

    spec = load_study(study).only(variant or None, seed)  # not `str | None`: null and #5 are names too
    run_study(spec, _runs(spec.name, runs), jobs or os.cpu_count() or 1, wandb)


def report(study: str, runs: str | None = None, output: str | None = None) -> None:
    """Write CSV, Markdown table, figures and an HTML page from the finished runs of a study, and print the table.

    Args:
        study: The study file.
        runs: Folder of the runs; by default runs/<name of the study>.
        output: Folder of the report; by default that of the runs.
    """
    from synthreal.studies.report import write_report

    spec = load_study(study)
    folder = _runs(spec.name, runs)
    table, page = write_report(spec, folder, Path(output) if output else folder)
    sys.stdout.write(f"{table}\nReport: {page}\n")


def sweep(study: str) -> None:
    """Print a W&B sweep whose agents run the study's grid, on any number of machines.

    Args:
        study: The study file.
    """
    from synthreal.studies.sweep import sweep_yaml

    sys.stdout.write(sweep_yaml(load_study(study)))


def _runs(name: str, runs: str | None) -> Path:
    return Path(runs) if runs else Path("runs") / name


def main(args: Sequence[str]) -> None:
    """Runs the command that `args` starts with."""
    auto_cli([run, report, sweep], args=list(args), prog="synthreal study", as_positional=True)
