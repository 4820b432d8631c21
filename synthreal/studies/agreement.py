"""How two models agree on the same test images, and how each treats each class (benchmark, sec. 6.5)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats
from sklearn.metrics import confusion_matrix


@dataclass(frozen=True)
class Agreement:
    """Test images by what two models make of them.

    Args:
        both_right: Both models are right.
        gained: The variant is right, the baseline wrong.
        lost: The baseline is right, the variant wrong.
        both_wrong: Neither is right.
    """

    both_right: int
    gained: int
    lost: int
    both_wrong: int

    @property
    def p(self) -> float:
        """McNemar's exact test, two-sided: are as many images gained as lost? 1 if there are none of either."""
        turned = self.gained + self.lost
        return float(stats.binomtest(self.gained, turned).pvalue) if turned else 1.0


def agreement(baseline: Bool[np.ndarray, " n"], variant: Bool[np.ndarray, " n"]) -> Agreement:
    """Returns how two models agree, given which images each gets right."""
    both, gained, lost = baseline & variant, variant & ~baseline, baseline & ~variant
    return Agreement(int(both.sum()), int(gained.sum()), int(lost.sum()), int((~baseline & ~variant).sum()))


def mostly_turned(
    baseline: Bool[np.ndarray, "r n"], variant: Bool[np.ndarray, "s n"]
) -> tuple[Int[np.ndarray, " g"], Int[np.ndarray, " l"]]:
    """Returns the images that the variant gets right in most runs and the baseline wrong in most, and the reverse.

    Those where they differ most come first.

    Args:
        baseline: Which images each run of the baseline gets right.
        variant: The same for the variant.
    """
    before, after = baseline.mean(0), variant.mean(0)
    order = np.argsort(before - after, kind="stable")
    gained = order[(after[order] > 0.5) & (before[order] < 0.5)]
    order = np.argsort(after - before, kind="stable")
    lost = order[(after[order] < 0.5) & (before[order] > 0.5)]
    return gained, lost


def confusion(
    label: Int[np.ndarray, " n"], prediction: Int[np.ndarray, "s n"], num_classes: int
) -> Float[np.ndarray, "k k"]:
    """Returns the share of each class's images (row) that is taken for each class (column), mean over S runs.

    A row sums to 1; it is NaN for a class without images.
    """
    labels = np.tile(label, len(prediction))
    counts = confusion_matrix(labels, prediction.ravel(), labels=np.arange(num_classes)).astype(float)
    images = counts.sum(1, keepdims=True)
    return np.divide(counts, images, out=np.full_like(counts, np.nan), where=images > 0)


def class_accuracy(
    label: Int[np.ndarray, " n"], prediction: Int[np.ndarray, "s n"], num_classes: int
) -> Float[np.ndarray, " k"]:
    """Returns the share of each class's images that is recognised, mean over S runs; NaN for a class without images."""
    return confusion(label, prediction, num_classes).diagonal().copy()
