"""What the benchmarks share: two sides timed in turns, and one CSV of results."""

import argparse
import csv
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from synthreal.files import replacing

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """One line of the results.

    Args:
        benchmark: Name of the script.
        case: What was measured.
        unit: Unit of `ours` and `peer`.
        ours: Median of synthreal.
        peer: Median of what it is measured against, which `peer_name` names.
        ratio: The number that the target is about.
        low: Smallest ratio of a pair of neighbouring measurements; `high` is the largest.
        target: Bound of the ratio, as ">= 0.85" or "<= 0.08".
        repeats: Number of pairs.
    """

    benchmark: str
    case: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    low: float
    high: float
    target: str
    repeats: int

    @property
    def met(self) -> bool:
        """Whether the ratio keeps the target."""
        relation, bound = self.target.split()
        return self.ratio >= float(bound) if relation == ">=" else self.ratio <= float(bound)


def alternate(
    ours: Callable[[], object], peer: Callable[[], object], repeats: int, calls: int = 1
) -> tuple[list[float], list[float]]:
    """Returns the seconds of `calls` calls of each, in turns (A, B, A, B, …), after one turn that does not count."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for work, series in zip((ours, peer), seconds, strict=True):
            start = time.perf_counter()
            for _ in range(calls):
                work()
            if repeat:
                series.append(time.perf_counter() - start)
    return seconds


def speed_row(
    benchmark: str,
    case: str,
    unit: str,
    amount: float,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_name: str,
    target: str,
) -> Row:
    """Returns the row of a comparison of speeds: `amount` of `unit` in each run, seconds of each run of both sides."""
    pairs = [b / a for a, b in zip(ours, peer, strict=True)]
    a, b = statistics.median(ours), statistics.median(peer)
    low, high = min(pairs), max(pairs)
    return Row(benchmark, case, unit, amount / a, amount / b, peer_name, b / a, low, high, target, len(pairs))


def parse_output() -> Path:
    """Returns `--output`, the CSV that results go to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=ROOT / "experiments/performance/results.csv")
    output: Path = parser.parse_args().output
    return output


def report(rows: Sequence[Row], output: Path) -> None:
    """Prints the rows and puts them in the CSV in place of the same benchmark's earlier ones."""
    for row in rows:
        print(
            f"{row.case:<34} {row.ours:12.4g} {row.peer:12.4g} {row.unit:<9} ratio {row.ratio:.3g} "
            f"({row.low:.3g} to {row.high:.3g}), target {row.target}: {'met' if row.met else 'MISSED'}"
        )
    machine = {"threads": torch.get_num_threads(), "torch": torch.__version__, "cpu": _cpu()}
    lines = [_short({**asdict(row), "met": row.met, **machine}) for row in rows]
    if output.exists():
        with output.open(newline="") as file:
            lines = [old for old in csv.DictReader(file) if old["benchmark"] != rows[0].benchmark] + lines
    with replacing(output) as beside, beside.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)] + ["met", *machine], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def run(benchmark: Callable[[], Sequence[Row]]) -> None:
    """Runs a benchmark on one thread and reports its rows; `--output` is read first."""
    output = parse_output()
    torch.set_num_threads(1)
    report(benchmark(), output)


def _short(line: dict[str, object]) -> dict[str, str]:
    return {name: f"{value:.5g}" if isinstance(value, float) else str(value) for name, value in line.items()}


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{named[0]} ({len(named)} cores)" if named else platform.processor()
