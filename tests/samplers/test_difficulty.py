"""Difficulty by hand, and against plain loops."""

import inspect
import math

import numpy as np
import pytest
import torch

from synthreal.errors import ConfigError, TrainingError
from synthreal.samplers.difficulty import bucket_means, kernel_difficulty, probe_difficulty
from synthreal.spaces import Circular, Continuous, Product


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def test_hard_difficulty_is_the_error():
    logits = torch.tensor([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 1.0, 5.0], [-3.0, -1.0, -2.0]])
    assert probe_difficulty(logits, torch.tensor([0, 1, 2, 1])).tolist() == [0, 1, 0, 0]


def test_soft_difficulty_is_one_minus_the_true_class():
    stream = np.random.default_rng(0)
    logits, label = 5 * stream.normal(size=(20, 4)), stream.integers(0, 4, 20)
    odds = np.exp(logits)
    expected = 1 - odds[np.arange(20), label] / odds.sum(1)
    got = probe_difficulty(torch.from_numpy(logits), torch.from_numpy(label), "soft")
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-6)
    assert got.min() >= 0
    assert got.max() <= 1


def test_soft_difficulty_of_sure_answers_does_not_overflow():
    got = probe_difficulty(torch.tensor([[1e4, 0.0], [1e4, 0.0]]), torch.tensor([0, 1]), "soft")
    assert got.tolist() == [0, 1]


def test_unknown_kind_is_refused():
    plain = inspect.unwrap(probe_difficulty)  # without the type check of the tests, which is first otherwise
    with pytest.raises(ConfigError, match="medium"):
        plain(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), "medium")


def test_bucket_means_where_every_bucket_has_probes():
    got = bucket_means(tensor([1, 3, 0, 2]), torch.tensor([2, 3, 4, 2]), rows=2)
    np.testing.assert_allclose(got.numpy(), [0.5, 1, 0, 1])
    assert got.dtype == torch.float64


def test_empty_buckets_take_the_mean_of_their_class_then_of_all():
    # class 0: 3 of 4 probes wrong in two buckets, one empty; class 1: none at all; class 2: 1 of 4, two empty
    total = tensor([3, 0, 0, 0, 0, 0, 0, 1, 0])
    count = torch.tensor([3, 1, 0, 0, 0, 0, 0, 4, 0])
    got = bucket_means(total, count, rows=3)
    # the class mean weighs probes, not buckets: (3 + 0) / (3 + 1)
    np.testing.assert_allclose(got.numpy(), [1, 0, 3 / 4, 1 / 2, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 4])


def test_bucket_means_agree_with_a_loop():
    stream = np.random.default_rng(1)
    count = stream.integers(0, 4, (6, 5)) * (stream.random((6, 1)) < 0.7)
    total = count * stream.random((6, 5))
    expected = np.empty((6, 5))
    for row in range(6):
        for column in range(5):
            if count[row, column]:
                expected[row, column] = total[row, column] / count[row, column]
            elif count[row].sum():
                expected[row, column] = total[row].sum() / count[row].sum()
            else:
                expected[row, column] = total.sum() / count.sum()
    got = bucket_means(torch.from_numpy(total.ravel()), torch.from_numpy(count.ravel()), rows=6)
    assert (count == 0).any()
    np.testing.assert_allclose(got.numpy(), expected.ravel())


def test_no_probes_are_refused():
    with pytest.raises(ConfigError, match="num_probes"):
        bucket_means(torch.zeros(4), torch.zeros(4, dtype=torch.int64), rows=2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_model_is_told(value):
    with pytest.raises(TrainingError, match="not finite"):
        bucket_means(tensor([0, value]), torch.tensor([1, 1]), rows=1)


def kernel_by_loop(where, probes, difficulty, floor):
    out = np.zeros(len(where))
    for i, point in enumerate(where):
        weights = [1 / max(math.dist(point, probe), floor) for probe in probes]
        out[i] = sum(w * d for w, d in zip(weights, difficulty, strict=True)) / sum(weights)
    return out


def test_kernel_difficulty_agrees_with_a_double_loop():
    stream = np.random.default_rng(2)
    where, probes, difficulty = stream.normal(size=(7, 3)), stream.normal(size=(30, 3)), stream.random(30)
    where[0] = probes[4]  # a probe at the point itself
    got = kernel_difficulty(torch.from_numpy(where), torch.from_numpy(probes), torch.from_numpy(difficulty), 0.05)
    np.testing.assert_allclose(got.numpy(), kernel_by_loop(where, probes, difficulty, 0.05), rtol=1e-6)


def test_kernel_difficulty_in_chunks_is_the_same():
    stream = np.random.default_rng(3)
    # more than 2^24 distances: two chunks
    where, probes = torch.from_numpy(stream.random((900, 2))), torch.from_numpy(stream.random((20_000, 2)))
    difficulty = torch.from_numpy(stream.random(20_000))
    got = kernel_difficulty(where, probes, difficulty)
    for part in (slice(0, 5), slice(895, 900)):
        np.testing.assert_allclose(got[part].numpy(), kernel_difficulty(where[part], probes, difficulty).numpy())


def test_kernel_difficulty_of_one_value_is_that_value():
    got = kernel_difficulty(torch.rand(5, 2), torch.rand(9, 2), torch.full((9,), 0.25))
    np.testing.assert_allclose(got.numpy(), 0.25)


def test_kernel_difficulty_goes_around_the_circle():
    space = Circular("azimuth", bins=4)
    probes = space.embed(torch.tensor([[350.0], [180.0]]))
    at = kernel_difficulty(space.embed(torch.tensor([[10.0], [190.0]])), probes, tensor([1, 0]))
    # 10° is 20° from 350° across the zero and 170° from 180°
    chord = [2 * math.sin(math.radians(angle) / 2) for angle in (20, 170)]
    near = (1 / chord[0]) / (1 / chord[0] + 1 / chord[1])
    chord = [2 * math.sin(math.radians(angle) / 2) for angle in (160, 10)]
    far = (1 / chord[0]) / (1 / chord[0] + 1 / chord[1])
    np.testing.assert_allclose(at.numpy(), [near, far], rtol=1e-5)


def test_kernel_difficulty_of_a_product_mixes_its_axes():
    space = Product([Continuous("height", 0.0, 10.0), Continuous("width", 0.0, 2.0)])
    probes = torch.tensor([[0.0, 0.0], [10.0, 2.0]])
    at = torch.tensor([[3.0, 0.8]])
    # in units of the axes: (0.3, 0.4) is 0.5 from the first and sqrt(0.49 + 0.36) from the second
    first, second = 1 / 0.5, 1 / math.sqrt(0.85)
    got = kernel_difficulty(space.embed(at), space.embed(probes), tensor([0, 1]))
    np.testing.assert_allclose(float(got[0]), second / (first + second), rtol=1e-6)


def test_kernel_difficulty_tells_a_broken_model_too():
    # one NaN among the probes would make every bucket NaN, and then P
    with pytest.raises(TrainingError, match="not finite"):
        kernel_difficulty(torch.rand(5, 2), torch.rand(3, 2), tensor([0.1, math.nan, 0.2]))
