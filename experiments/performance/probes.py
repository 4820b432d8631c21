"""The probe pass and the update of P at the paper's sizes, as a share of an epoch's training steps. One thread.

Short epochs, so that passes and steps take turns; steps are scaled up to the paper's 983 an epoch.
"""

import statistics
import tempfile
from pathlib import Path

from fitting import PAPER_EPOCH, Clock, Fit
from measure import Row, run

STEPS, EPOCHS = 100, 10


def measure() -> list[Row]:
    """Returns the share of the first pass, which makes the probes' images, and that of the others."""
    with tempfile.TemporaryDirectory() as folder:
        fit, clock = Fit(Path(folder), STEPS, EPOCHS), Clock()
        fit.run(clock)
    passes = fit.probe_seconds
    training = [(epoch - probes) * PAPER_EPOCH / STEPS for epoch, probes in zip(clock.seconds, passes, strict=True)]
    rows = []
    middle = statistics.median(training)
    for case, seconds in (("first pass, makes the images", passes[:1] * EPOCHS), ("later passes", passes[1:])):
        shares = [a / b for a, b in zip(seconds, training[-len(seconds) :], strict=True)]
        ours, limits = statistics.median(seconds), (min(shares), max(shares))
        name, target = f"{PAPER_EPOCH} steps", "<= 0.08"
        rows.append(Row("probes", case, "s", ours, middle, name, ours / middle, *limits, target, len(set(seconds))))
    return rows


if __name__ == "__main__":
    run(measure)
