"""Tables of a study's report, as text: the same in Markdown and in HTML."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from synthreal.studies.exchange import Exchange
from synthreal.studies.spec import Study
from synthreal.studies.statistics import SIGNIFICANT

_MANY = 8


@dataclass(frozen=True)
class Table:
    """A table as it is shown.

    Args:
        title: Its heading.
        head: Names of the columns.
        rows: Cells of each row.
        words: Numbers of the columns that hold words, and are aligned to the left.
        group: How many columns, from the first, are the same in rows that belong together.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    words: frozenset[int] = frozenset()
    group: int = 0

    def markdown(self) -> str:
        """Returns the table, without its title, in Markdown."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main_table(study: Study, summary: pd.DataFrame) -> Table:
    """Returns means and comparisons, with the paper's figures if the study has them."""
    factors, metric = _factors(study), f"{study.metric} ({study.unit})" if study.unit else study.metric
    head = ["steps", *factors, "runs", f"{metric}, mean ± sd", *(["paper"] if study.paper else [])]
    head += [f"difference from {study.baseline}", "95 % interval", "p paired", "p Welch", "p Holm"]
    rows = []
    for row in summary.to_dict("records"):
        cells = [f"{row['step']:,}", *(row[factor] for factor in factors), str(row["runs"])]
        cells.append(_spread(row["mean"], row["std"]))
        cells += [_number(row["paper"], ".3f")] if study.paper else []
        interval = _interval(row.get("low", math.nan), row.get("high", math.nan), "+.3f")
        cells += [_number(row.get("difference"), "+.3f"), interval]
        cells += [_number(row.get(p), ".2g") for p in ("p_paired", "p_welch", "p_holm")]
        rows.append(cells)
    return Table("Results", head, rows, frozenset(range(1, len(factors) + 1)), len(factors))


def score_table(study: Study, summary: pd.DataFrame) -> Table:
    """Returns mean and deviation of the further scores."""
    factors = _factors(study)
    rows = [
        [f"{row['step']:,}", *(row[factor] for factor in factors)]
        + [_spread(row[f"{name} mean"], row[f"{name} std"]) for name in study.scores]
        for row in summary.to_dict("records")
    ]
    head = ["steps", *factors, *study.scores]
    return Table("Further scores, mean ± sd", head, rows, frozenset(range(1, len(factors) + 1)), len(factors))


def effects_table(study: Study, effects: pd.DataFrame) -> Table:
    """Returns what each factor of a two-level study changes on its own; see `main_effects`."""
    metric = f"{study.metric} ({study.unit})" if study.unit else study.metric
    head = ["steps", "factor", "level", "against", "seeds", f"change of {metric}", "95 % interval", "p", "p Holm"]
    rows = [
        [f"{row['step']:,}", row["factor"], row["level"], row["reference"], str(row["pairs"])]
        + [_number(row["difference"], "+.3f"), _interval(row["low"], row["high"], "+.3f")]
        + [_number(row[p], ".2g") for p in ("p", "p_holm")]
        for row in effects.to_dict("records")
    ]
    return Table("Main effects: each factor over all combinations of the others", head, rows, frozenset([1, 2, 3]))


def exchange_table(study: Study, exchanges: Mapping[str, Exchange]) -> Table:
    """Returns exchange rates, a row for each combination of the factors that are neither compared nor the curve's."""
    others = ", ".join(factor for factor in study.factors if factor not in (study.compared, study.curve))
    head = [*([others] if others else []), "all real", f"{study.metric} alone", "r*", "95 % interval of r*"]
    head += ["synthetic", "synthetic for one real", "95 % interval", "resamples without a rate", "change with all"]
    rows = []
    for panel, found in exchanges.items():
        rate = "none" if found.rate is None else f"{'at most ' if found.is_bound else ''}{found.rate:.4g}"
        equal = f"{found.equal:,.0f}" if math.isfinite(found.equal) else "never"
        cells = [f"{found.all_real:,g}", f"{found.target:.4g}", equal, _interval(found.low, found.high, ",.0f")]
        cells += [f"{found.synthetic:,}", rate, _interval(*found.interval, ".4g"), f"{100 * found.without_rate:.1f} %"]
        cells.append(f"{found.gain:+.2f} %" if math.isfinite(found.gain) else "")
        rows.append([*([panel] if others else []), *cells])
    return Table("Exchange rate", head, rows, frozenset([0] if others else []))


def frame_table(title: str, frame: pd.DataFrame) -> Table:
    """Returns any table as text, numbers with four digits."""
    words = frozenset(i for i, kind in enumerate(frame.dtypes) if not pd.api.types.is_numeric_dtype(kind))
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return Table(title, [str(name) for name in frame.columns], rows, words)


def verdicts(summary: pd.DataFrame) -> list[str]:
    """Returns what can be said of each comparison, in words, how many were made first; empty if none was.

    Of more than eight, only those that differ, or lack a finite value, are said in words.
    """
    rows = [row for row in summary.to_dict("records") if isinstance(row.get("verdict"), str)]
    if not rows:
        return []
    alone, after = (sum(row[p] < SIGNIFICANT for row in rows) for p in ("p", "p_holm"))
    count = "1 comparison was" if len(rows) == 1 else f"{len(rows)} comparisons were"
    first = f"{count} made: {alone} with p < {SIGNIFICANT}, {after} when p is adjusted for their number (Holm)."
    said = [row for row in rows if len(rows) <= _MANY or row["p"] < SIGNIFICANT or math.isnan(row["difference"])]
    return [first, *(f"{row['step']:,} steps: {row['verdict']}" for row in said)]


def _factors(study: Study) -> list[str]:
    """The factors that group the variants, and then the one that is compared."""
    return [*(factor for factor in study.factors if factor != study.compared), study.compared]


def _number(value: float | None, how: str) -> str:
    return "" if value is None or math.isnan(value) else format(value, how)


def _spread(mean: float, deviation: float) -> str:
    return _number(mean, ".3f") + ("" if math.isnan(deviation) else f" ± {deviation:.3f}")


def _interval(low: float, high: float, how: str) -> str:
    """An interval; nothing if there is none, or no end of it is a number."""
    if not math.isfinite(low):
        return ""
    return f"{low:{how}} to {'∞' if math.isinf(high) else format(high, how)}"


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return _number(value, ".4g" if abs(value) < 10_000 else ",.0f")
