import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from synthreal.datasets import Digits
from synthreal.errors import ConfigError


def test_train_and_test_are_the_bundled_scans_in_order():
    pixels, labels = load_digits(return_X_y=True)
    data = Digits(image_size=8, train_size=700)
    train, test = data.load("train"), data.load("test")
    assert len(train) == 700
    assert len(test) == 1797 - 700
    # at their own size the pixels come through unchanged, 0 to 16 spread over 0 to 255
    together = torch.cat([train.images, test.images]).view(1797, 64).double().numpy()
    np.testing.assert_allclose(together, pixels * 255 / 16, atol=0.5)
    np.testing.assert_array_equal(torch.cat([train.labels, test.labels]).numpy(), labels)


@pytest.mark.parametrize("size", [8, 16, 20, 28])
def test_shapes_types_and_range(size):
    images = Digits(image_size=size).load("train")
    assert images.images.shape == (1000, 1, size, size)
    assert images.images.dtype == torch.uint8
    assert images.labels.dtype == torch.int64
    assert images.classes == tuple("0123456789")
    assert set(images.labels.tolist()) == set(range(10))
    # bright and dark parts survive the enlargement
    assert int(images.images.min()) == 0
    assert int(images.images.max()) > 230


def test_enlarging_keeps_the_picture():
    small, large = Digits(image_size=8).load("test"), Digits(image_size=16).load("test")
    # 2 × 2 blocks of a bilinear enlargement average to a blur of the original
    blocks = torch.nn.functional.avg_pool2d(large.images.float(), 2)
    correlation = np.corrcoef(blocks.flatten().numpy(), small.images.float().flatten().numpy())[0, 1]
    assert correlation > 0.97


def test_two_loads_are_equal():
    assert Digits().load("train").fingerprint() == Digits().load("train").fingerprint()
    assert Digits().load("train").fingerprint() != Digits().load("test").fingerprint()


@pytest.mark.parametrize("settings", [{"image_size": 7}, {"train_size": 0}, {"train_size": 1797}, {"train_size": -5}])
def test_values_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Digits(**settings)


def test_the_smallest_and_the_largest_training_set_load():
    assert len(Digits(train_size=1).load("train")) == 1
    assert len(Digits(train_size=1796).load("test")) == 1
