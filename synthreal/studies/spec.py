"""The study file: base configs, named variants, seeds, a metric, the paper's figures."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from synthreal.errors import ConfigError

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Study:
    """What a study file says.

    Args:
        title: One line.
        configs: Config files that every run starts from, relative to the study file.
        variants: Name → overrides of the configs (dotted key → value).
        seeds: Seed of each run; variants share them, so differences can be paired.
        metric: What a run reports, as it is logged: `test/…` or `val/…`; smaller is better.
        steps: Training steps at which a run reports. One training serves all of them, so the schedule must
            not depend on the total.
        baseline: Variant that the others are compared with.
        unit: Unit of the metric.
        paper: Variant → the paper's figure at each step (None where it has none).
        notes: Text for the report.
        path: The study file.

    Raises:
        ConfigError: If the parts contradict each other.
    """

    title: str
    configs: list[str]
    variants: dict[str, dict[str, Value]]
    seeds: list[int]
    metric: str
    steps: list[int]
    baseline: str
    unit: str = ""
    paper: dict[str, list[float | None]] = field(default_factory=dict)
    notes: str = ""
    path: Path = Path("study.yaml")

    def __post_init__(self) -> None:
        if not (self.configs and self.variants and self.seeds and self.steps):
            raise ConfigError(f"{self.path}: configs, variants, seeds and steps must not be empty.")
        if self.baseline not in self.variants:
            raise ConfigError(f"{self.path}: baseline {self.baseline!r} is not among {list(self.variants)}.")
        if not self.metric.startswith(("test/", "val/")):
            raise ConfigError(f"{self.path}: metric is logged as test/… or val/…, not {self.metric!r}.")
        if self.steps != sorted(set(self.steps)) or self.steps[0] < 1:
            raise ConfigError(f"{self.path}: steps rise from 1 on, not {self.steps}.")
        if len(set(self.seeds)) != len(self.seeds):
            raise ConfigError(f"{self.path}: a seed is named twice in {self.seeds}.")
        for name, figures in self.paper.items():
            if name not in self.variants or len(figures) != len(self.steps):
                raise ConfigError(f"{self.path}: paper/{name} needs a variant of that name and a figure for each step.")
        for config in self.config_paths:
            if not config.is_file():
                raise ConfigError(f"{self.path}: no config at {config}.")

    @property
    def name(self) -> str:
        """Stem of the study file."""
        return self.path.stem

    @property
    def config_paths(self) -> list[Path]:
        """The config files."""
        return [self.path.parent / config for config in self.configs]

    def only(self, variant: str | None, seed: int | None) -> "Study":
        """Returns the part of the study that has this variant and this seed; None for all of them.

        Raises:
            ConfigError: If the study has no such variant or seed.
        """
        if variant not in (None, *self.variants) or seed not in (None, *self.seeds):
            raise ConfigError(
                f"{self.path} has the variants {list(self.variants)} and the seeds {self.seeds}, "
                f"not {variant!r} and {seed!r}."
            )
        variants = {name: v for name, v in self.variants.items() if variant in (None, name)}
        baseline = self.baseline if self.baseline in variants else next(iter(variants))
        paper = {name: figures for name, figures in self.paper.items() if name in variants}
        seeds = self.seeds if seed is None else [seed]
        return replace(self, variants=variants, seeds=seeds, baseline=baseline, paper=paper)

    def settings_hash(self, variant: str) -> str:
        """Returns 12 hex digits that change whenever the configs or the variant's overrides do."""
        # Parsed, so that a comment may change.
        configs = [yaml.safe_load(path.read_text()) for path in self.config_paths]
        return hashlib.sha256(json.dumps([configs, self.variants[variant]]).encode()).hexdigest()[:12]

    def arguments(self, variant: str, seed: int) -> list[str]:
        """Returns the command line of a run, without its subcommand."""
        configs = [word for path in self.config_paths for word in ("--config", str(path))]
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in self.variants[variant].items()}
        overrides = [f"--{key}={text}" for key, text in texts.items()]
        return [*configs, *overrides, f"--seed_everything={seed}"]


def load_study(path: str | Path) -> Study:
    """Reads a study file.

    Raises:
        ConfigError: If it is missing, has unknown or missing keys, or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"No study file at {path}.")
    content: Any = yaml.safe_load(path.read_text())
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a study: it should map keys such as configs, variants, seeds.")
    try:
        return Study(**content, path=path)
    except TypeError as error:
        raise ConfigError(f"{path}: {error}. Keys are: {', '.join(Study.__annotations__)}.") from error
