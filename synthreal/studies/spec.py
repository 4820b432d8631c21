"""What a study is: base configs, variants or the factors that make them, seeds, a metric, the paper's figures."""

import hashlib
import json
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from synthreal.errors import ConfigError
from synthreal.studies.exchange import ExchangeSettings, exchange_settings
from synthreal.studies.factors import Factors, Overrides, with_variants
from synthreal.studies.yaml_file import read_yaml

SEED = "{seed}"
"""Stands for the run's seed in an override, so that it can name what another study's run of that seed left."""


@dataclass(frozen=True)
class Study:
    """What a study file says.

    Args:
        title: One line.
        configs: Config files that every run starts from, relative to the study file.
        seeds: Seed of each run; variants share them, so differences can be paired.
        metric: What a run reports, as it is logged: `test/…` or `val/…`.
        steps: Training steps at which a run reports. One training serves all of them, so the schedule must
            not depend on the total.
        baseline: Variant that the others are compared with; with factors a level of the first one: each variant is
            compared with the one that has this level and else the same levels.
        variants: Name → overrides of the configs (dotted key → value). `load_study` makes them of factors: names are
            the levels, joined by ", ". `{seed}` in a value becomes the run's seed.
        factors: Factor → level → overrides. The first factor is the one that is compared. If each has two levels, the
            report also tells what each changes on its own.
        skip: Combinations of levels that make no sense, factor → level each.
        scores: Further logged scores that each run keeps.
        logged: Values that runs log while they train (`train/…` or `val/…`), for curves over steps.
        larger_is_better: Whether the metric is meant to grow.
        curve: A factor whose levels are numbers, such as real images of a class, for the report's learning curve.
        exchange: What to compute the exchange rate from; needs `curve`.
        unit: Unit of the metric.
        paper: Variant → the paper's figure at each step (None where it has none).
        notes: Text for the report.
        path: The study file.

    Raises:
        ConfigError: If the parts contradict each other.
    """

    title: str
    configs: list[str]
    seeds: list[int]
    metric: str
    steps: list[int]
    baseline: str
    variants: dict[str, Overrides]
    factors: Factors = field(default_factory=dict)
    skip: list[dict[str, str]] = field(default_factory=list)
    scores: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    larger_is_better: bool = False
    curve: str | None = None
    exchange: ExchangeSettings | None = None
    unit: str = ""
    paper: dict[str, list[float | None]] = field(default_factory=dict)
    notes: str = ""
    path: Path = Path("study.yaml")

    def __post_init__(self) -> None:
        if not (self.configs and self.variants and self.seeds and self.steps):
            raise ConfigError(f"{self.path}: configs, variants, seeds and steps must not be empty.")
        self._check_scores()
        if self.steps != sorted(set(self.steps)) or self.steps[0] < 1:
            raise ConfigError(f"{self.path}: steps rise from 1 on, not {self.steps}.")
        if len(set(self.seeds)) != len(self.seeds):
            raise ConfigError(f"{self.path}: a seed is named twice in {self.seeds}.")
        if len({file_name(variant) for variant in self.variants}) < len(self.variants):
            raise ConfigError(f"{self.path}: two variants would have one folder, for :, / and the like become -.")
        for name, figures in self.paper.items():
            if name not in self.variants or len(figures) != len(self.steps):
                raise ConfigError(f"{self.path}: paper/{name} needs a variant of that name and a figure for each step.")
        for config in self.config_paths:
            if not config.is_file():
                raise ConfigError(f"{self.path}: no config at {config}.")
        levels = list(self.factors[self.compared] if self.factors else self.variants)
        if self.baseline not in levels:
            raise ConfigError(f"{self.path}: baseline {self.baseline!r} is not among {levels}.")
        self._check_curve()

    def _check_scores(self) -> None:
        kept = [self.metric, *self.scores]
        for name in kept:
            if not name.startswith(("test/", "val/")):
                raise ConfigError(f"{self.path}: metric and scores are logged as test/… or val/…, not {name!r}.")
        for name in self.logged:
            if not name.startswith(("train/", "val/")):
                raise ConfigError(f"{self.path}: logged values are train/… or val/…, not {name!r}.")
        if len(set(kept)) < len(kept):
            raise ConfigError(f"{self.path}: a score is named twice in {kept}.")

    def _check_curve(self) -> None:
        if self.curve is not None and self.curve not in self.factors:
            raise ConfigError(f"{self.path}: curve {self.curve!r} is not among the factors {list(self.factors)}.")
        for level in self.factors[self.curve] if self.curve else ():
            if not _is_count(level):
                raise ConfigError(f"{self.path}: curve needs numbers; {level!r} of {self.curve!r} is none.")
        if self.exchange is None:
            return
        if self.curve in (None, self.compared):
            raise ConfigError(f"{self.path}: exchange needs curve, which must not be the first factor.")
        for level in (self.exchange.alone, self.exchange.mixed):
            if level not in self.factors[self.compared]:
                raise ConfigError(f"{self.path}: exchange: there is no {level!r} of {self.compared!r}.")

    @property
    def name(self) -> str:
        """Stem of the study file."""
        return self.path.stem

    @property
    def config_paths(self) -> list[Path]:
        """The config files."""
        return [self.path.parent / config for config in self.configs]

    @property
    def stages(self) -> set[str]:
        """What a run is scored by: "test", "val" or both."""
        return {name.split("/")[0] for name in (self.metric, *self.scores)}

    @property
    def compared(self) -> str:
        """The factor whose levels are compared: the first one; "variant" without factors."""
        return next(iter(self.factors), "variant")

    def levels(self, variant: str) -> dict[str, str]:
        """Returns factor → level of a variant; without factors its one level is its name."""
        return dict(zip(self.factors, variant.split(", "), strict=True)) if self.factors else {"variant": variant}

    def baseline_of(self, variant: str) -> str:
        """Returns the variant that this one is compared with; the study may skip it."""
        return ", ".join((self.levels(variant) | {self.compared: self.baseline}).values())

    def groups(self, *inside: str) -> dict[str, list[str]]:
        """Returns the variants in groups that differ in the factors `inside` alone, by the levels of the others.

        A number says nothing without its factor: "plain, real 5".
        """
        found: dict[str, list[str]] = {}
        for variant in self.variants:
            others = [item for item in self.levels(variant).items() if item[0] not in inside]
            words = [f"{factor} {level}" if _is_count(level) else level for factor, level in others]
            found.setdefault(", ".join(words), []).append(variant)
        return found

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
        baseline = self.baseline if self.factors or self.baseline in variants else next(iter(variants))
        paper = {name: figures for name, figures in self.paper.items() if name in variants}
        seeds = self.seeds if seed is None else [seed]
        return replace(self, variants=variants, seeds=seeds, baseline=baseline, paper=paper)

    def settings_hashes(self) -> dict[str, str]:
        """Returns for each variant 12 hex digits that change whenever the configs or its overrides do."""
        # Parsed, so that a comment may change. Read anew, so that a change during the study is seen.
        configs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in self.config_paths]
        return {
            name: hashlib.sha256(json.dumps([configs, overrides]).encode()).hexdigest()[:12]
            for name, overrides in self.variants.items()
        }

    def settings_hash(self, variant: str) -> str:
        """Returns a variant's digits, see `settings_hashes`."""
        return self.settings_hashes()[variant]

    def arguments(self, variant: str, seed: int) -> list[str]:
        """Returns the command line of a run, without its subcommand; `{seed}` in an override becomes the seed."""
        configs = [word for path in self.config_paths for word in ("--config", str(path))]
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in self.variants[variant].items()}
        overrides = [f"--{key}={text.replace(SEED, str(seed))}" for key, text in texts.items()]
        return [*configs, *overrides, f"--seed_everything={seed}"]


def file_name(variant: str) -> str:
    """Returns a variant's name as that of a file or folder, which Windows and Git take too: "1:15" becomes "1-15"."""
    return re.sub(r'[<>:"/\\|?*]', "-", variant)


def load_study(path: str | Path) -> Study:
    """Reads a study file.

    Raises:
        ConfigError: If it is missing, has unknown or missing keys, or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"No study file at {path}.")
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a study: it should map keys such as configs, variants, seeds.")
    try:
        content = with_variants(content)
        if "exchange" in content:
            content["exchange"] = exchange_settings(content["exchange"])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return Study(**content, path=path)
    except TypeError as error:
        raise ConfigError(f"{path}: {error}. Keys are: {', '.join(Study.__annotations__)}.") from error


def _is_count(level: str) -> bool:
    try:
        return 0 <= float(level) < math.inf
    except ValueError:
        return False
