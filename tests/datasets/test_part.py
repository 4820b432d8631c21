"""Disjoint parts of a data set."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthreal.batch import LabelledImages
from synthreal.datasets import DatasetPart, Digits
from synthreal.datasets.part import fold_of
from synthreal.errors import ConfigError


def numbered(per_class=(30, 20, 25)):
    """Image i holds its own number, classes mixed."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(per_class)), per_class))
    pixels = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None]
    return LabelledImages(pixels, torch.from_numpy(labels), tuple("abcdef"[: len(per_class)]))


def numbers(part):
    return part.images[:, 0, 0, 0].tolist()


@given(st.lists(st.integers(4, 30), min_size=1, max_size=4), st.integers(1, 4), st.integers(0, 9))
def test_folds_are_disjoint_complete_and_balanced(per_class, folds, seed):
    source = numbered(per_class)
    parts = [fold_of(source, folds, fold, seed) for fold in range(folds)]
    assert sorted(number for part in parts for number in numbers(part)) == list(range(sum(per_class)))
    for part in parts:
        assert part.labels.tolist() == source.labels[numbers(part)].tolist()
        assert part.classes == source.classes
        for held, size in zip(torch.bincount(part.labels, minlength=len(per_class)).tolist(), per_class, strict=True):
            assert held in (size // folds, -(-size // folds))


def test_folds_are_those_of_the_seed():
    first = numbers(fold_of(numbered(), 3, 1, seed=3))
    torch.manual_seed(8)
    assert numbers(fold_of(numbered(), 3, 1, seed=3)) == first
    assert numbers(fold_of(numbered(), 3, 1, seed=4)) != first


def test_folds_are_cut_at_random():
    chosen = np.zeros(75)
    for seed in range(200):
        chosen[numbers(fold_of(numbered(), 5, 2, seed))] += 1
    # every class divides by 5: each image is in the fold with probability 1/5; four standard deviations of a binomial
    assert (abs(chosen - 40) < 4 * (200 * 0.2 * 0.8) ** 0.5).all()


def test_one_fold_is_everything():
    source = numbered()
    assert fold_of(source, 1, 0, seed=0) is source


@pytest.mark.parametrize(("folds", "fold"), [(3, 3), (3, -1), (0, 0)])
def test_a_fold_that_is_not_there_is_refused(folds, fold):
    with pytest.raises(ConfigError, match=f"of {folds} folds, not {fold}"):
        fold_of(numbered(), folds, fold, seed=0)


def test_a_class_with_fewer_images_than_folds_is_named():
    with pytest.raises(ConfigError, match=r"\['b', 'd'\] have fewer images than there are folds \(5\)"):
        fold_of(numbered((9, 4, 5, 2)), 5, 0, seed=0)


def test_parts_of_a_data_set_are_disjoint_and_complete():
    parts = [DatasetPart(Digits(8), 5, part) for part in range(5)]
    for split in ("train", "test"):
        whole = Digits(8).load(split).digests()
        held = [digest for part in parts for digest in part.load(split).digests()]
        assert sorted(held) == sorted(whole)
    assert parts[0].classes == Digits.classes
    assert DatasetPart(Digits(8), 5, 0, seed=1).load("test").digests() != parts[0].load("test").digests()


def test_a_part_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="part is 0 to 4 of 5 parts, not 5"):
        DatasetPart(Digits(8), 5, 5)
