"""Any number of sides, timed in turns by the CPU time of the process: what other processes do hardly shows."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from measure import Row

_SHORTEST = 0.05


def cpu_turns(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Returns the CPU seconds of a call of each side, in turns (A, B, C, A, B, C, …), after one that warms up.

    A side that is quick is called several times in its turn, and the mean counts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    calls = dict.fromkeys(sides, 1)
    for repeat in range(repeats + 1):
        for name, work in sides.items():
            start = time.process_time()
            for _ in range(calls[name]):
                work()
            spent = (time.process_time() - start) / calls[name]
            if repeat:
                seconds[name].append(spent)
            else:
                calls[name] = 1 + int(_SHORTEST / max(spent, 1e-6))
    return seconds


def bound_row(benchmark: str, case: str, unit: str, seconds: Sequence[float], bound: float) -> Row:
    """Returns the row of a speed that must reach `bound`, from the seconds that one took in each run."""
    rates = [1 / second for second in seconds]
    ratios = [rate / bound for rate in rates]
    middle, ends = statistics.median(rates), (min(ratios), max(ratios))
    return Row(benchmark, case, unit, middle, bound, "bound", middle / bound, *ends, ">= 1", len(rates))
