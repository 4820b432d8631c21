"""The bundled photos, cut into tiles that cover them."""

from inspect import unwrap

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from synthreal.datasets import SamplePhotos
from synthreal.errors import ConfigError
from synthreal.rendering.compositing import crops


def photo(name):
    """The picture as Pillow reads it from scikit-learn's folder."""
    files = [path for path in load_sample_images().filenames if name in path]
    return np.asarray(Image.open(files[0]))


@pytest.mark.parametrize("side", [16, 100, 128, 427])
@pytest.mark.parametrize("name", ["china", "flower"])
def test_tiles_are_where_their_names_say_and_cover_the_photo(name, side):
    whole = photo(name)
    covered = np.zeros(whole.shape[:2], int)
    pictures = SamplePhotos([name], side).load(["a"])
    assert pictures.images.shape[1:] == (3, side, side)
    assert len(set(pictures.names)) == len(pictures.names) == len(pictures.images)
    for tile, words in zip(pictures.images, pictures.names, strict=True):
        held, left, top = words.split()
        assert held == name
        part = slice(int(top), int(top) + side), slice(int(left), int(left) + side)
        np.testing.assert_array_equal(tile.permute(1, 2, 0), whole[part])
        covered[part] += 1
    assert covered.min() >= 1
    assert covered[side // 2 : 427 - side // 2, side // 2 : 640 - side // 2].min(initial=4) >= (1 if side == 427 else 4)


def test_neighbours_share_half_or_more():
    places = np.array(
        [[int(word) for word in name.split()[1:]] for name in SamplePhotos(["china"], 90).load("a").names]
    )
    for column, length in ((0, 640), (1, 427)):
        starts = np.unique(places[:, column])
        assert starts[0] == 0
        assert starts[-1] == length - 90
        assert 0 < np.diff(starts).max() <= 45


def test_one_photo_has_nothing_of_the_other():
    china, flower, both = (SamplePhotos(names).load("ab") for names in (["china"], ["flower"], ["china", "flower"]))
    assert both.names == china.names + flower.names
    assert torch.equal(both.images, torch.cat([china.images, flower.images]))
    means = [pictures.images.float().mean((0, 2, 3)).tolist() for pictures in (china, flower)]
    assert means[0] == pytest.approx(photo("china").mean((0, 1)).tolist(), abs=25)
    assert means[1] == pytest.approx(photo("flower").mean((0, 1)).tolist(), abs=25)
    assert SamplePhotos().load("ab").names == both.names


def test_every_class_may_have_every_tile_and_crops_takes_them():
    pictures = SamplePhotos(["flower"], 64).load(["a", "b"])
    count = len(pictures.images)
    assert pictures.by_class.count.tolist() == [count, count]
    index = pictures.by_class.choose(torch.ones(count).long(), (torch.arange(count) + 0.5) / count)
    assert index.tolist() == list(range(count))
    whole = crops(pictures.images, index[:3], torch.tensor([[0, 0.5, 0.5, 0.1]] * 3), 64, 1.0)
    torch.testing.assert_close(whole * 255, pictures.images[:3].float(), atol=0.01, rtol=0)


@pytest.mark.parametrize("photos", [[], ["sea"], ["china", "sea"], ["china", "china"]])
def test_photos_that_there_are_not(photos):
    with pytest.raises(ConfigError, match="photos names china or flower, or both, once each"):
        unwrap(SamplePhotos.__init__)(object.__new__(SamplePhotos), photos)  # the tests' type check would come first


@pytest.mark.parametrize("side", [15, 428])
def test_tiles_beyond_the_photos(side):
    with pytest.raises(ConfigError, match=rf"side is 16 to 427 pixels.*not {side}"):
        SamplePhotos(side=side)
