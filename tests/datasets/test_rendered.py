"""What predict wrote comes back as it was made, split so that nothing is on both sides."""

from collections import Counter

import pytest
import torch
from PIL import Image

from synthreal.datasets.rendered import RenderedFolder
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError
from tests.datasets.rendered_parts import CLASSES, COUNT, both, indices, made, rows, write


@pytest.mark.parametrize("layout", ["folders", "shards"])
@pytest.mark.parametrize("split_by", ["instance", "image"])
def test_every_image_comes_back_once_with_its_label(rendered, layout, split_by):
    every, labels, _ = made()
    held = RenderedFolder(str(rendered / layout), split_by=split_by)
    assert held.classes == tuple(CLASSES)
    found = []
    for split in ("train", "test"):
        images = held.load(split)
        assert images.images.dtype == torch.uint8
        assert images.classes == tuple(CLASSES)
        index = indices(images, every)
        assert index == sorted(index)
        assert images.labels.tolist() == labels[index].tolist()
        found += index
    assert sorted(found) == list(range(COUNT))


@pytest.mark.parametrize("share", [0.2, 0.4, 0.01])
def test_a_share_of_each_class_s_models_is_the_test_set(rendered, share):
    every, _, models = made()
    sides = {}
    for split in ("train", "test"):
        images = RenderedFolder(str(rendered / "folders"), test_share=share).load(split)
        sides[split] = {models[i] for i in indices(images, every)}
    assert not sides["train"] & sides["test"]
    tested = Counter(name.partition("_")[0] for name in sides["test"])
    assert tested == dict.fromkeys(CLASSES, max(round(5 * share), 1))


def test_by_image_views_of_one_model_are_on_both_sides(rendered):
    every, labels, models = made()
    assert torch.bincount(labels).tolist() == [50, 50, 50]
    sides = {}
    for split in ("train", "test"):
        images = RenderedFolder(str(rendered / "folders"), split_by="image").load(split)
        assert torch.bincount(images.labels).tolist() == ([10] * 3 if split == "test" else [40] * 3)
        sides[split] = {models[i] for i in indices(images, every)}
    assert len(sides["train"] & sides["test"]) > 10


@pytest.mark.parametrize("split_by", ["instance", "image"])
def test_the_split_depends_on_the_seed_and_not_on_the_layout(rendered, split_by):
    def prints(layout, seed):
        held = RenderedFolder(str(rendered / layout), split_by=split_by, test_share=0.4, seed=seed)
        return held.load("test").fingerprint()

    assert prints("folders", 0) == prints("shards", 0)
    assert len({prints("folders", seed) for seed in range(4)}) == 4


def test_grey_stays_grey(tmp_path):
    write(tmp_path / "out", channels=1)
    found = both(tmp_path / "out")
    assert found.shape == (COUNT, 1, 4, 6)
    assert {image.numpy().tobytes() for image in found} == {image.numpy().tobytes() for image in made(channels=1)[0]}


@pytest.mark.parametrize(("channels", "mode"), [(1, "LA"), (3, "RGBA")])
def test_alpha_is_put_on_the_black_it_was_drawn_on(rendered, tmp_path, channels, mode):
    write(tmp_path / "out", channels=channels, on_black=True, transparent=True)
    with Image.open(tmp_path / "out" / rows(tmp_path / "out")[0]["path"]) as file:
        assert file.mode == mode
    every, labels, _ = made(channels=channels, on_black=True)
    for split in ("train", "test"):
        found, opaque = (
            RenderedFolder(str(at), split_by="image").load(split) for at in (tmp_path / "out", rendered / "folders")
        )
        index = indices(opaque, made()[0])
        # the edge pixel's colour is rounded as written, straight, and again on black: one step off at most
        assert (found.images.int() - every[index].int()).abs().max() <= 1
        assert found.labels.tolist() == labels[index].tolist()


def test_a_side_scales_the_shorter_one_and_keeps_the_middle(rendered):
    every = made()[0]
    middle = {image.numpy().tobytes() for image in every[:, :, :, 1:5].contiguous()}
    assert {image.numpy().tobytes() for image in both(rendered / "shards", side=4)} == middle
    assert both(rendered / "folders", side=9).shape == (COUNT, 3, 9, 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": 0}, "side is at least 1"),
        ({"test_share": 0.0}, "test_share is more than 0"),
        ({"test_share": 1.0}, "test_share is more than 0"),
    ],
)
def test_settings_out_of_range(rendered, settings, message):
    with pytest.raises(ConfigError, match=message):
        RenderedFolder(str(rendered / "folders"), **settings)


def test_a_split_that_there_is_not(rendered):
    with pytest.raises(ConfigError, match="validation"):
        RenderedFolder(str(rendered / "folders")).load("validation")


def test_no_data_set(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"nowhere.dataset\.json.*DatasetWriter wrote"):
        RenderedFolder(str(tmp_path / "nowhere"))
    for text in ("[1, 2", "[1, 2]", '{"format": "synthreal data set 9"}'):
        (tmp_path / "dataset.json").write_text(text)
        with pytest.raises(DatasetError, match=r"dataset\.json describes no 'synthreal data set 1'"):
            RenderedFolder(str(tmp_path))


def test_an_unfinished_data_set_goes_on(tmp_path):
    write(tmp_path / "out", limit=2)
    held = RenderedFolder(str(tmp_path / "out"))
    with pytest.raises(DatasetNotFoundError, match=r"manifest\.csv.*unfinished: the same predict command goes on"):
        held.load("train")
    write(tmp_path / "out")
    assert len(held.load("train")) + len(held.load("test")) == COUNT


def test_generators_without_models_are_split_by_image(tmp_path):
    write(tmp_path / "out", named=False)
    with pytest.raises(ConfigError, match=r"manifest\.csv names no models.*Set split_by to image"):
        RenderedFolder(str(tmp_path / "out")).load("train")
    assert len(both(tmp_path / "out")) == COUNT
