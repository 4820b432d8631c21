from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from synthreal.studies.agreement import Agreement, agreement, class_accuracy, confusion, mostly_turned

# Figure 26 of the benchmark: 17 classes of 50 images, trained on real images alone; alarm_clock first, wall_clock last.
BASELINE = np.array(
    [
        [22, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 2, 2, 0, 19],
        [0, 29, 1, 3, 0, 0, 0, 1, 3, 1, 1, 0, 6, 2, 0, 1, 2],
        [1, 0, 36, 1, 0, 2, 1, 2, 0, 0, 2, 0, 2, 1, 0, 2, 0],
        [1, 0, 1, 41, 0, 0, 0, 2, 1, 0, 1, 0, 2, 0, 0, 1, 0],
        [1, 0, 0, 0, 37, 0, 0, 5, 2, 0, 1, 3, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 32, 1, 2, 0, 0, 1, 0, 3, 1, 1, 9, 0],
        [1, 0, 0, 0, 0, 4, 33, 0, 0, 2, 3, 1, 1, 3, 0, 0, 2],
        [0, 0, 0, 0, 3, 0, 2, 42, 1, 0, 0, 0, 0, 0, 0, 0, 2],
        [0, 1, 0, 0, 7, 0, 1, 0, 35, 1, 3, 1, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 3, 0, 0, 1, 3, 36, 2, 3, 0, 1, 1, 0, 0],
        [1, 0, 0, 0, 19, 0, 0, 1, 1, 0, 26, 1, 0, 1, 0, 0, 0],
        [0, 2, 0, 0, 7, 0, 1, 1, 4, 4, 4, 23, 0, 3, 0, 0, 1],
        [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 45, 0, 1, 1, 0],
        [1, 2, 0, 0, 3, 1, 1, 1, 0, 0, 0, 0, 1, 35, 0, 2, 3],
        [0, 2, 0, 0, 0, 0, 3, 2, 4, 0, 0, 1, 3, 0, 30, 2, 3],
        [1, 0, 2, 0, 0, 3, 0, 6, 0, 0, 1, 0, 4, 2, 0, 29, 2],
        [8, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 37],
    ]
)
# Tables 20, 21 and 22: accuracy of each class, %, baseline and mixed, and the difference.
REAL_ALONE = [44, 58, 72, 82, 74, 64, 66, 84, 70, 72, 52, 46, 90, 70, 60, 58, 74]
MIXED = [62, 64, 92, 90, 76, 80, 76, 94, 72, 74, 54, 52, 98, 84, 82, 66, 70]
GAIN = [18, 6, 20, 8, 2, 16, 10, 10, 2, 2, 2, 6, 8, 14, 22, 8, -4]


def images_of(counts):
    """Labels and predictions that make up a confusion matrix."""
    true, taken = np.indices(counts.shape)
    return np.repeat(true.ravel(), counts.ravel()), np.repeat(taken.ravel(), counts.ravel())


def test_the_papers_two_models():
    # 850 images; 568 and 643 right, 525 by both
    baseline = np.arange(850) < 568
    mixed = np.concatenate([np.arange(568) < 525, np.arange(282) < 118])
    assert (baseline.sum(), mixed.sum()) == (568, 643)
    found = agreement(baseline, mixed)
    assert found == Agreement(both_right=525, gained=118, lost=43, both_wrong=164)
    # McNemar: as unlikely as 43 or fewer heads in 161 tosses, and the reverse
    assert found.p == pytest.approx(2 * sum(comb(161, k) for k in range(44)) / 2**161, rel=1e-9)


@pytest.mark.parametrize(("gained", "lost", "p"), [(3, 0, 0.25), (0, 3, 0.25), (2, 2, 1), (5, 1, 14 / 64), (0, 0, 1)])
def test_mcnemar_by_hand(gained, lost, p):
    assert Agreement(7, gained, lost, 2).p == pytest.approx(p)


@given(arrays(bool, st.tuples(st.just(2), st.integers(1, 40))))
def test_every_image_counts_once(right):
    baseline, variant = right
    found = agreement(baseline, variant)
    assert found.both_right + found.gained + found.lost + found.both_wrong == right.shape[1]
    assert found.both_right + found.gained == variant.sum()
    assert found.both_right + found.lost == baseline.sum()
    turned = agreement(variant, baseline)
    assert (turned.gained, turned.lost) == (found.lost, found.gained)
    assert turned.p == found.p


def test_the_papers_confusion_and_class_accuracies():
    label, prediction = images_of(BASELINE)
    np.testing.assert_allclose(confusion(label, prediction[None], 17), BASELINE / 50)
    before = class_accuracy(label, prediction[None], 17)
    np.testing.assert_allclose(100 * before, REAL_ALONE)
    # The mixed model by its class accuracies alone: what is wrong is taken for the next class.
    right = np.tile(np.arange(50), 17) < np.repeat(MIXED, 50) / 2
    after = class_accuracy(label, np.where(right, label, (label + 1) % 17)[None], 17)
    np.testing.assert_allclose(100 * (after - before), GAIN)
    assert (100 * (after - before))[[0, 16]] == pytest.approx([18, -4])
    # Both are 50 images a class, so their mean is top-1: 66.82 and 75.65 in Table 19.
    assert (100 * before.mean(), 100 * after.mean()) == pytest.approx((66.82, 75.65), abs=0.005)


def test_a_mean_over_runs_is_the_mean_of_the_runs():
    stream = np.random.default_rng(0)
    label, prediction = stream.integers(0, 4, 60), stream.integers(0, 4, (3, 60))
    each = [sk.confusion_matrix(label, run, normalize="true") for run in prediction]
    np.testing.assert_allclose(confusion(label, prediction, 4), np.mean(each, 0))
    recall = [sk.recall_score(label, run, average=None) for run in prediction]
    np.testing.assert_allclose(class_accuracy(label, prediction, 4), np.mean(recall, 0))


def test_a_class_without_images_has_no_accuracy():
    label, prediction = np.array([0, 0, 2]), np.array([[0, 1, 1], [0, 0, 2]])
    np.testing.assert_allclose(class_accuracy(label, prediction, 4), [0.75, np.nan, 0.5, np.nan])
    np.testing.assert_allclose(confusion(label, prediction, 4)[0], [0.75, 0.25, 0, 0])


def test_images_that_turned_in_most_runs():
    before = np.array([[0, 0, 1, 1, 0, 1, 1], [0, 0, 1, 1, 0, 0, 1], [0, 1, 1, 1, 0, 0, 1]], dtype=bool)
    after = np.array([[0, 1, 0, 1, 1, 1, 1], [1, 1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1, 1, 1]], dtype=bool)
    # Image 4 turns in every run, 0 and 1 in some; 2 is lost in every run, 3 in two. 5 is right once, then twice.
    gained, lost = mostly_turned(before, after)
    assert gained.tolist() == [4, 0, 1, 5]
    assert lost.tolist() == [2, 3]


def test_half_of_the_runs_is_not_most():
    before, after = np.array([[False, False], [False, True]]), np.array([[True, True], [False, True]])
    gained, lost = mostly_turned(before, after)
    assert (gained.tolist(), lost.tolist()) == ([], [])


@given(arrays(bool, st.tuples(st.just(6), st.integers(1, 12))))
def test_gained_and_lost_are_each_others_reverse(right):
    before, after = right[:3], right[3:]
    gained, lost = mostly_turned(before, after)
    back = mostly_turned(after, before)
    assert (back[0].tolist(), back[1].tolist()) == (lost.tolist(), gained.tolist())
    assert all(after[:, i].sum() >= 2 and before[:, i].sum() <= 1 for i in gained)
    assert len(gained) == sum(after[:, i].sum() >= 2 and before[:, i].sum() <= 1 for i in range(right.shape[1]))
