"""Mean colours of cells, against NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.networks.pooled_pixels import PooledPixels


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_means_of_cells(cells, channels, down, across, seed):
    image = np.random.default_rng(seed).random((2, channels, cells * down, cells * across), dtype=np.float32)
    expected = image.reshape(2, channels, cells, down, cells, across).mean((3, 5)).reshape(2, -1)
    found = PooledPixels(cells)(torch.from_numpy(image))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_cells_overlap_where_they_do_not_divide():
    image = torch.tensor([0.0, 0.3, 0.9]).expand(1, 1, 3, 3)
    found = PooledPixels(2)(image)
    torch.testing.assert_close(found, torch.tensor([[0.15, 0.6, 0.15, 0.6]]))


def test_nothing_to_learn():
    features = PooledPixels()
    assert not features.state_dict()
    assert features(torch.rand(3, 3, 9, 8)).shape == (3, 48)


@pytest.mark.parametrize("cells", [0, -1])
def test_no_cell_is_refused(cells):
    with pytest.raises(ConfigError, match=f"at least 1, not {cells}"):
        PooledPixels(cells)
