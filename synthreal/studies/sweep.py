"""A study as a W&B sweep, so that agents on many machines share its grid."""

import yaml

from synthreal.studies.spec import Study


def sweep_yaml(study: Study) -> str:
    """Returns the sweep's YAML: one agent run for each variant and seed."""
    sweep = {
        "name": study.name,
        "description": study.title,
        "method": "grid",
        "metric": {"name": study.metric, "goal": "maximize" if study.larger_is_better else "minimize"},
        "parameters": {"variant": {"values": list(study.variants)}, "seed": {"values": list(study.seeds)}},
        "command": [
            "${env}",
            "${interpreter}",
            "-m",
            "synthreal",
            "study",
            "run",
            str(study.path),
            "--jobs=1",
            "--wandb=true",
            "${args}",
        ],
    }
    return yaml.safe_dump(sweep, sort_keys=False, allow_unicode=True)
