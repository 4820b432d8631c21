import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synthreal.generators.randomness import normals, uniforms

WORD = 2**64
LAST = 2**63 - 2
SEEDS = torch.arange(1000)


def finalise(z):
    """SplitMix64's output function on Python's whole numbers."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def word(seed, purpose, position):
    state = finalise((finalise(seed) + purpose) % WORD)
    return finalise((state + (position + 1) * 0x9E3779B97F4A7C15) % WORD)


def test_the_reference_is_splitmix64():
    # first outputs of the authors' splitmix64.c from state 1234567
    state, out = 1234567, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) % WORD
        out.append(finalise(state))
    assert out == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(0, LAST), st.integers(0, 2**31), st.integers(1, 9))
def test_uniforms_are_the_halves_of_each_word(seed, purpose, count):
    words = [word(seed, purpose, i // 2) >> (32 * (i % 2)) for i in range(count)]
    expected = [(w % 2**32 >> 8) / 2**24 for w in words]
    assert uniforms(torch.tensor([seed]), purpose, count).tolist() == [expected]


@given(st.integers(0, LAST), st.integers(0, 2**31), st.integers(1, 9))
def test_normals_are_the_quantiles_of_the_quarters_of_each_word(seed, purpose, count):
    words = [(word(seed, purpose, i // 4) >> (16 * (i % 4))) % 2**16 for i in range(count)]
    expected = stats.norm.ppf((np.array(words) + 0.5) / 2**16)
    np.testing.assert_allclose(normals(torch.tensor([seed]), purpose, count)[0].numpy(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("draw", [uniforms, normals])
@pytest.mark.parametrize("count", [0, 1, 7, 64])
def test_a_batch_is_its_samples(draw, count):
    seed = torch.tensor([0, 1, 2**40, LAST, 1])
    batch = draw(seed, 3, count)
    assert batch.shape == (5, count)
    assert batch.dtype == torch.float32
    assert torch.equal(batch, torch.cat([draw(seed[i : i + 1], 3, count) for i in range(5)]))
    assert torch.equal(batch, draw(seed, 3, 100)[:, :count])  # more numbers change none
    assert draw(seed[:0], 3, count).shape == (0, count)


@pytest.mark.parametrize("seeds", [SEEDS, SEEDS * 2**40, LAST - SEEDS], ids=["small", "high bits", "largest"])
def test_uniforms_are_uniform(seeds):
    value = uniforms(seeds, 0, 200).double().numpy()
    assert value.min() >= 0
    assert value.max() < 1
    # fixed numbers, so a p value above 0.001 holds for ever; a fair source fails this one time in 1,000
    counts = np.histogram(value, 256, (0, 1))[0]
    assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.kstest(value.ravel(), "uniform").pvalue > 1e-3
    # the low bits as well
    assert stats.chisquare(np.bincount((value.ravel() * 2**24).astype(int) % 64)).pvalue > 1e-3
    # the first number of neighbouring seeds, in pairs
    pairs = np.histogram2d(value[:-1:2, 0], value[1::2, 0], 5, [(0, 1)] * 2)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


def test_normals_are_standard_normal():
    value = normals(SEEDS, 0, 200).double().numpy().ravel()
    # 0.0022 is a standard error of the mean of 200,000, 0.0016 one of their deviation
    assert abs(value.mean()) < 4 * 0.0022
    assert abs(value.std() - 1) < 4 * 0.0016
    assert stats.kstest(value, "norm").pvalue > 1e-3
    assert 4 < np.abs(value).max() <= stats.norm.ppf(1 - 2.0**-17) + 1e-6


@pytest.mark.parametrize("draw", [uniforms, normals])
def test_neighbours_are_not_correlated(draw):
    value = draw(SEEDS, 0, 200).double().numpy()
    other = draw(SEEDS, 1, 200).double().numpy()

    def correlation(a, b):
        return abs(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    bound = 4 / np.sqrt(value.size - 1000)
    assert correlation(value[1:], value[:-1]) < bound  # seeds
    assert correlation(value, other) < bound  # purposes
    for lag in (1, 2, 3, 4, 8):
        assert correlation(value[:, lag:], value[:, :-lag]) < bound  # positions
    # one sample's stream is not another's, moved along
    assert correlation(value[1:, :-1], value[:-1, 1:]) < bound
    assert correlation(value[:, 1:], other[:, :-1]) < bound


def test_seeds_purposes_and_positions_give_different_numbers():
    seeds = torch.cat([SEEDS, LAST - SEEDS])
    value = torch.cat([uniforms(seeds, purpose, 6) for purpose in (0, 1, 2**31)])
    # three numbers of 24 bits: 72 bits never meet by chance
    triples = torch.cat([value[:, :3], value[:, 3:]])
    assert len(triples.unique(dim=0)) == len(triples)
