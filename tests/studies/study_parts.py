"""A small study, for the tests of what studies do."""

from pathlib import Path

import yaml

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SMALL = {"data.num_probes": 160, "data.steps_per_epoch": 3, "trainer.accelerator": "cpu"}


def write_study(folder, **changes):
    """Writes a study of two variants on the digits, with changes (None takes a key out), and returns its path."""
    content = {
        "title": "tiny",
        "configs": [str(EXPERIMENTS / "sampleahead" / "digits.yaml")],
        "variants": {"uniform": {**SMALL, "trainer.callbacks.init_args.alpha": 1}, "SampleAhead": SMALL},
        "seeds": [0, 1],
        "metric": "test/error",
        "steps": [2, 5],
        "baseline": "uniform",
        "unit": "%",
        "paper": {"uniform": [3.0, None]},
        **changes,
    }
    path = folder / "tiny.yaml"
    given = {key: value for key, value in content.items() if value is not None}
    path.write_text(yaml.safe_dump(given, sort_keys=False))
    return path


def row_of(study, variant, seed, value=2.5, **others):
    """The row of a finished cell, at the study's first step."""
    row = {"variant": variant, "seed": seed, "step": study.steps[0], "metric": study.metric}
    return {**row, "value": value, "seconds": 1.0, "settings": study.settings_hash(variant), **others}
