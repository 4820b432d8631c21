"""A study as a W&B sweep, so that agents on many machines share its grid."""

import sys
from pathlib import Path

import yaml

from synthreal.studies.cell import run_cell
from synthreal.studies.runner import merge_result, missing_cells, read_results
from synthreal.studies.spec import Study


def sweep_yaml(study: Study) -> str:
    """Returns the sweep's YAML: one agent run for each variant and seed."""
    sweep = {
        "name": study.name,
        "description": study.title,
        "method": "grid",
        "metric": {"name": study.metric, "goal": "minimize"},
        "parameters": {"variant": {"values": list(study.variants)}, "seed": {"values": list(study.seeds)}},
        "command": [
            "${env}",
            "${interpreter}",
            "-m",
            "synthreal",
            "study",
            "cell",
            str(study.path),
            "${args}",
        ],
    }
    return yaml.safe_dump(sweep, sort_keys=False, allow_unicode=True)


def run_agent_cell(study: Study, variant: str, seed: int, runs: Path) -> None:
    """Runs every step of one variant and seed that has no result yet, logging to W&B too.

    Raises:
        ConfigError: If the study has no such variant.
    """
    study.check_variant(variant)
    for step, a_seed, name in missing_cells(study, read_results(study, runs), [seed]):
        if name == variant:
            row = run_cell(study, variant, a_seed, step, runs, lambda _: None, wandb=True)
            merge_result(study, row, runs)
            sys.stdout.write(f"{variant}, seed {seed}, step {step}: {study.metric} = {row['value']:.4f}\n")
