"""Factors of a study: their levels, and the variants that these make."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from synthreal.errors import ConfigError

Value = bool | int | float | str | None | list[Any] | dict[str, Any]
Overrides = dict[str, Value]
"""Dotted key of a config → value."""

Factors = dict[str, dict[str, Overrides]]
"""Factor → level → overrides."""

# Columns of a study's tables.
_TAKEN = {"step", "steps", "variant", "seed", "runs", "mean", "std", "paper", "difference", "low", "high", "pairs"}
_TAKEN |= {"p", "p_paired", "p_welch", "p_holm", "verdict"}


def check_factors(factors: object) -> None:
    """Checks that factors map levels to overrides, and that the levels' names can be joined.

    Raises:
        ConfigError: If they do not, a name has a comma, or a factor is called like a column of the tables.
    """
    if not isinstance(factors, dict) or not factors:
        raise ConfigError("factors maps each factor to its levels, for example {real: {5: {data.real_per_class: 5}}}.")
    for name, levels in factors.items():
        if name in _TAKEN:
            raise ConfigError(f"no factor can be called {name!r}: the tables have a column of that name.")
        if not isinstance(levels, dict) or not levels:
            raise ConfigError(f"factors/{name} maps levels to settings, not {levels!r}.")
        for level, overrides in levels.items():
            if "," in level or not level.strip():
                raise ConfigError(f"factors/{name}: {level!r} is no name for a level: commas join the levels.")
            if not isinstance(overrides, dict):
                raise ConfigError(f"factors/{name}/{level} maps settings to values ({{}} for none), not {overrides!r}.")


def variants_of(factors: Factors, skip: list[dict[str, str]]) -> dict[str, Overrides]:
    """Returns the variants that every combination of levels makes: name → overrides, the last factor varying fastest.

    Args:
        factors: The factors; where two set the same key, the later one wins.
        skip: Combinations to leave out: factor → level, of some factors or all.

    Raises:
        ConfigError: If `skip` names a factor or a level that does not exist.
    """
    for entry in skip:
        for factor, level in entry.items():
            if level not in factors.get(factor, {}):
                raise ConfigError(f"skip: there is no {level!r} of {factor!r}; factors are {_listed(factors)}.")
    variants = {}
    for combination in product(*factors.values()):
        levels = dict(zip(factors, combination, strict=True))
        if not any(entry.items() <= levels.items() for entry in skip):
            parts = [factors[factor][level] for factor, level in levels.items()]
            variants[", ".join(combination)] = {key: value for part in parts for key, value in part.items()}
    return variants


def with_variants(content: dict[str, Any]) -> dict[str, Any]:
    """Returns a study file's content with the variants that its factors make, and levels as text where it names them.

    Raises:
        ConfigError: If the factors cannot be joined, or there are variants too.
    """
    named: dict[str, Any] = {key: str(content[key]) for key in ("baseline", "curve") if key in content}
    if "factors" not in content:
        if "skip" in content:
            raise ConfigError("skip leaves out combinations of factors, and there are no factors.")
        return {**content, **named}
    if "variants" in content:
        raise ConfigError("give variants or factors, not both.")
    check_factors(content["factors"])
    given = content.get("skip", [])
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise ConfigError(f"skip lists combinations such as {{ratio: 0:1, real: 20}}, not {given!r}.")
    skip = [{factor: str(level) for factor, level in entry.items()} for entry in given]
    return {**content, **named, "skip": skip, "variants": variants_of(content["factors"], skip)}


def _listed(factors: Mapping[str, Mapping[str, object]]) -> str:
    return "; ".join(f"{name}: {', '.join(levels)}" for name, levels in factors.items())
