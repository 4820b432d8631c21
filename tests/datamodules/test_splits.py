import itertools

import numpy as np
import pytest
import torch

from synthreal.batch import LabelledImages
from synthreal.datamodules.splits import split_by_class
from synthreal.errors import ConfigError


def numbered(per_class=(30, 20, 25)):
    """Image i holds its own number, classes mixed."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(per_class)), per_class))
    pixels = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None]
    return LabelledImages(pixels, torch.from_numpy(labels), tuple("abcdef"[: len(per_class)]))


def numbers(part):
    return part.images[:, 0, 0, 0].tolist()


def test_parts_are_disjoint_balanced_and_take_what_is_left():
    source = numbered()
    parts = split_by_class(source, {"validation": 4, "probe": 6, "train": None}, seed=0)
    assert list(parts) == ["validation", "probe", "train"]
    for name, counts in (("validation", [4, 4, 4]), ("probe", [6, 6, 6]), ("train", [20, 10, 15])):
        assert torch.bincount(parts[name].labels).tolist() == counts
        assert parts[name].classes == source.classes
    for a, b in itertools.combinations(parts.values(), 2):
        assert set(numbers(a)).isdisjoint(numbers(b))
    assert sorted(number for part in parts.values() for number in numbers(part)) == list(range(75))


def test_labels_stay_with_their_images():
    source = numbered()
    for part in split_by_class(source, {"a": 5, "b": None}, seed=1).values():
        assert part.labels.tolist() == source.labels[numbers(part)].tolist()


def test_a_part_may_be_empty_or_leave_images_unused():
    parts = split_by_class(numbered(), {"validation": 0, "train": 3}, seed=0)
    assert len(parts["validation"]) == 0
    assert parts["validation"].images.shape == (0, 1, 1, 1)
    assert len(parts["train"]) == 9


def test_the_split_is_a_function_of_the_seed_alone():
    wanted = {"probe": 6, "train": None}
    first = split_by_class(numbered(), wanted, seed=3)
    torch.manual_seed(8)
    again = split_by_class(numbered(), wanted, seed=3)
    assert numbers(first["probe"]) == numbers(again["probe"])
    assert numbers(first["probe"]) != numbers(split_by_class(numbered(), wanted, seed=4)["probe"])


def test_images_are_chosen_at_random():
    chosen = np.zeros(75)
    for seed in range(200):
        chosen[numbers(split_by_class(numbered(), {"train": 10}, seed)["train"])] += 1
    source = numbered()
    for label, size in enumerate((30, 20, 25)):
        expected = 200 * 10 / size
        # four standard deviations of a binomial
        spread = 4 * (expected * (1 - 10 / size)) ** 0.5
        assert (abs(chosen[source.labels.numpy() == label] - expected) < spread).all()


def test_a_class_too_small_is_named_with_what_is_needed():
    with pytest.raises(ConfigError, match=r"'b' has 20 training images; 21 are needed .* 'probe'"):
        split_by_class(numbered(), {"validation": 15, "probe": 6, "train": None}, seed=0)


def test_only_the_last_part_may_take_what_is_left():
    # otherwise the next part would start at the first image again, and training images would be validated on
    with pytest.raises(ConfigError, match="train"):
        split_by_class(numbered(), {"train": None, "validation": 5}, seed=0)


def test_a_negative_number_is_refused():
    # a slice up to -1 would hold all images but one, and the next part would overlap it
    with pytest.raises(ConfigError, match="-1"):
        split_by_class(numbered(), {"validation": -1, "train": None}, seed=0)


@pytest.mark.parametrize("validation", [0, 4])
def test_fewer_images_of_a_class_are_some_of_more(validation):
    chosen = [
        set(numbers(split_by_class(numbered(), {"validation": validation, "train": count}, seed=2)["train"]))
        for count in (1, 3, 9, None)
    ]
    for fewer, more in itertools.pairwise(chosen):
        assert fewer < more
