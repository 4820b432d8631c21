"""What the runs of a study made of each test image: agreement with the baseline, classes, pictures (benchmark, 6.5)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.studies.agreement import agreement, class_accuracy
from synthreal.studies.cell import quiet
from synthreal.studies.outcome_figures import Figures, ShownData, alone_figures, pair_figures
from synthreal.studies.predictions import Outcomes, Pair, pair_up, read_outcomes
from synthreal.studies.spec import Study

_MOST_FIGURES = 6

Tables = dict[str, tuple[str, pd.DataFrame]]
"""Name → title, table."""

_AGREEMENT = (
    "Test images that a variant and its baseline get right, mean over runs; McNemar's exact test on the first run"
)
_PER_CLASS = "Accuracy of each class, %, mean over runs, and its difference from the baseline"


def outcome_report(study: Study, runs: Path, results: pd.DataFrame) -> tuple[Tables, Figures]:
    """Compares the runs' predictions at the study's last step, image by image.

    Tables: `agreement` of each variant with its baseline, and `per_class`, the accuracy of each class, on every test
    set. Figures, on the first test set: `confusion_<variant>`, and `gained_lost_<variant>` with images that one of the
    two gets right in most of its runs and the other wrong in most. If more than six variants are compared, only the one
    that gains most, net of what it loses, and the one that gains least have figures.

    Both are empty if no run kept predictions. What was tested on different images is not compared.

    Args:
        study: The study.
        runs: Folder of its runs.
        results: The finished cells.

    Raises:
        ConfigError: If the datamodule cannot name its classes and show its test images.
    """
    outcomes = read_outcomes(study, runs, results)
    if not outcomes:
        return {}, {}
    quiet()
    pairs = pair_up(study, outcomes)
    # A baseline's data stands for those that are compared with it.
    home = {name: base if (base := study.baseline_of(name)) in outcomes else name for name in outcomes}
    data = {name: _datamodule(study, name) for name in dict.fromkeys(home.values())}
    classes = {name: data[home[name]].classes for name in outcomes}
    tables: Tables = {"agreement": (_AGREEMENT, agreement_table(pairs))} if pairs else {}
    tables["per_class"] = _PER_CLASS, class_table(outcomes, pairs, classes)
    first = {name: next(iter(sets)) for name, sets in outcomes.items()}
    shown = _shown([pair for pair in pairs if pair.test_set == first[pair.variant]])
    for name in dict.fromkeys(pair.baseline for pair in shown):
        data[name].setup("test")
    figures: Figures = {}
    for pair in shown:
        figures |= pair_figures(pair, data[pair.baseline])
    for name in list(outcomes)[:_MOST_FIGURES] if not figures else ():
        figures |= alone_figures(name, first[name], outcomes[name][first[name]], classes[name])
    return tables, figures


def _datamodule(study: Study, variant: str) -> ShownData:
    cli = ExperimentCLI([*study.arguments(variant, study.seeds[0]), "--trainer.logger=false"], run=False)
    data: object = cli.datamodule
    if not isinstance(data, ShownData):
        raise ConfigError(
            "The report shows what the callback Predictions kept, with `classes` and `test_images` of the datamodule. "
            f"MixedDataModule has them, {type(data).__name__} has not."
        )
    return data


def agreement_table(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Returns a row for each pair: images that both get right, that the variant gains and loses, that both get wrong.

    The counts are means over the runs. p is that of the first run alone: counts added up over runs would take an image
    for as many independent ones as there are runs.
    """
    rows = []
    for pair in pairs:
        runs = [agreement(before, after) for before, after in zip(pair.before.right, pair.after.right, strict=True)]
        rows.append(
            {
                "variant": pair.variant,
                "baseline": pair.baseline,
                "set": pair.test_set,
                "runs": len(runs),
                "images": len(pair.after.index),
                "both_right": np.mean([run.both_right for run in runs]).round(1),
                "gained": np.mean([run.gained for run in runs]).round(1),
                "lost": np.mean([run.lost for run in runs]).round(1),
                "both_wrong": np.mean([run.both_wrong for run in runs]).round(1),
                "p_mcnemar": float(f"{runs[0].p:.3g}"),
            }
        )
    return pd.DataFrame(rows)


def class_table(
    outcomes: Mapping[str, Mapping[str, Outcomes]], pairs: Sequence[Pair], classes: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Returns a row for each variant, test set and class: images, accuracy, difference from the baseline, %.

    Args:
        outcomes: Variant → test set → what its runs made of it.
        pairs: The comparisons; there is no difference without one.
        classes: Variant → name of each class.
    """
    found = {(pair.variant, pair.test_set): pair for pair in pairs}
    parts = []
    for variant, sets in outcomes.items():
        for test_set, outcome in sets.items():
            part = pd.DataFrame({"variant": variant, "set": test_set, "class": classes[variant]})
            part["images"] = np.bincount(outcome.label, minlength=len(part))
            part["accuracy"] = _accuracy(outcome, len(part)).round(2)
            pair = found.get((variant, test_set))
            change = _accuracy(pair.after, len(part)) - _accuracy(pair.before, len(part)) if pair else np.nan
            parts.append(part.assign(difference=np.round(change, 2)))
    return pd.concat(parts, ignore_index=True)


def _accuracy(outcome: Outcomes, num_classes: int) -> Float[np.ndarray, " k"]:
    return 100 * class_accuracy(outcome.label, outcome.prediction, num_classes)


def _shown(pairs: Sequence[Pair]) -> list[Pair]:
    """All pairs if there are few, else those with the largest and the smallest net gain."""
    if len(pairs) <= _MOST_FIGURES:
        return list(pairs)
    net = [float(pair.after.right.mean() - pair.before.right.mean()) for pair in pairs]
    return [pairs[int(np.argmax(net))], pairs[int(np.argmin(net))]]
