"""Scores of a classifier against scikit-learn, and the names of test sets."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from synthreal.modules.scores import classification_metrics, set_names


def computed(metrics, label, logits, parts):
    for part in np.array_split(np.arange(len(label)), parts):  # batches of unequal size
        metrics.update(torch.from_numpy(logits[part]).float(), torch.from_numpy(label[part]))
    return {name: float(value) for name, value in metrics.compute().items()}


def expected(label, logits):
    """The same by ranks and by scikit-learn."""
    num_classes, images = logits.shape[1], np.arange(len(label))
    guess, odds = logits.argmax(1), np.exp(logits)
    better = (logits > logits[images, label][:, None]).sum(1)  # classes that are thought more probable
    classes = {"labels": np.arange(num_classes), "zero_division": 0}
    # torchmetrics leaves out of a macro average what is neither among the labels nor among the guesses
    present = {**classes, "labels": np.union1d(label, guess)}
    return {
        **{f"top{k}": (better < k).mean() for k in (1, 3, 5) if k <= num_classes},
        "loss": -np.log(odds[images, label] / odds.sum(1)).mean(),
        "precision": sk.precision_score(label, guess, average="macro", **present),
        "recall": sk.recall_score(label, guess, average="macro", **present),
        **{f"accuracy_{k}": r for k, r in enumerate(sk.recall_score(label, guess, average=None, **classes))},
    }


@st.composite
def predictions(draw):
    num_classes = draw(st.integers(2, 7))
    count = draw(st.integers(1, 12))
    label = draw(st.lists(st.integers(0, num_classes - 1), min_size=count, max_size=count))
    # no ties: which of two equals comes first is nobody's promise
    logits = [draw(st.permutations(range(num_classes))) for _ in range(count)]
    return np.array(label), np.array(logits, dtype=float), draw(st.integers(1, count))


@given(predictions())
def test_scores_agree_with_scikit_learn(case):
    label, logits, parts = case
    metrics = classification_metrics(logits.shape[1], each_class=True)
    assert computed(metrics, label, logits, parts) == pytest.approx(expected(label, logits), abs=1e-5)


def test_scores_agree_with_scikit_learn_on_many_images():
    stream = np.random.default_rng(0)
    label, logits = stream.integers(0, 10, 500), stream.normal(size=(500, 10))
    logits[np.arange(500), label] += 1
    got = computed(classification_metrics(10, each_class=True), label, logits, parts=3)
    assert got == pytest.approx(expected(label, logits), abs=1e-5)
    for k in (3, 5):
        assert got[f"top{k}"] == pytest.approx(sk.top_k_accuracy_score(label, logits, k=k), abs=1e-6)


def test_a_first_batch_that_is_all_right_does_not_tie_scores_together():
    label = np.array([0, 1, 2, 3, 4, 5, 4, 2])
    logits = np.concatenate([10 * np.eye(6), [[5, 4, 3, 2, 1, 0], [3, 5, 4, 0, 1, 2]]])
    metrics = classification_metrics(6)
    for part in (slice(0, 6), slice(6, 8)):
        metrics.update(torch.from_numpy(logits[part]).float(), torch.from_numpy(label[part]))
    # of the last two the one's class comes fifth, the other's second
    got = metrics.compute()
    assert [float(got[f"top{k}"]) for k in (1, 3, 5)] == pytest.approx([6 / 8, 7 / 8, 1])


def test_scores_do_not_count_what_never_came():
    # class 3 is neither among the labels nor among the guesses; class 2 is guessed but never right
    label, guess = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    ours = classification_metrics(4)
    ours.update(torch.eye(4)[guess], torch.from_numpy(label))
    got = ours.compute()
    # precision 1/2, 2/2, 0/1; recall 1/2, 2/3, and 0 for class 2
    assert float(got["precision"]) == pytest.approx(1.5 / 3)
    assert float(got["recall"]) == pytest.approx((1 / 2 + 2 / 3) / 3)


def test_names_carry_the_prefix_and_classes_are_scored_on_request():
    metrics = classification_metrics(3, "test/real/", each_class=True)
    metrics.update(torch.eye(3)[[0, 1, 1]], torch.tensor([0, 1, 2]))
    got = metrics.compute()
    names = ["top1", "top3", "loss", "precision", "recall", "accuracy_0", "accuracy_1", "accuracy_2"]
    assert sorted(got) == sorted(f"test/real/{name}" for name in names)
    assert [float(got[f"test/real/accuracy_{k}"]) for k in range(3)] == [1, 1, 0]
    assert sorted(classification_metrics(3)) == ["loss", "precision", "recall", "top1", "top3"]


@pytest.mark.parametrize(
    ("loaders", "names"),
    [
        ({"real": iter(()), "bare": iter(())}, ["real", "bare"]),
        ({"real": iter(())}, ["real"]),
        (iter(()), [""]),
        ([iter(())], [""]),
        ([iter(()), iter(())], ["0", "1"]),
    ],
)
def test_test_sets_are_named_by_their_loaders(loaders, names):
    assert set_names(loaders) == names
