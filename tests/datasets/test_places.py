"""Places365's folders, and the scenes of the benchmark paper."""

import re
from string import ascii_lowercase

import numpy as np
import pytest
import torch
from PIL import Image

from synthreal.datasets import Places365
from synthreal.datasets.places import BENCHMARK_SCENES
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

# Table 4 of the paper
SCENES_OF_EACH_CLASS = {
    "alarm_clock": 8,
    "backpack": 6,
    "basketball": 2,
    "pc_keyboard": 8,
    "computer_desk": 10,
    "digital_clock": 9,
    "food_table": 12,
    "laptop": 11,
    "pc_monitor": 11,
    "pc_mouse": 9,
    "tv_remote": 6,
    "soccer": 6,
    "toaster": 8,
    "vase": 11,
    "wall_clock": 6,
    "banana": 10,
    "cup": 11,
}
SCENES = {"cup": ["bar", "bakery/shop"], "ball": ["arena/performance"], "boat": ["ocean"]}
PHOTOS = ["b/bar/1.jpg", "b/bar/2.jpg", "b/bakery/shop/1.jpg", "a/arena/performance/1.jpg", "b/barn/1.jpg"]


@pytest.fixture(params=["data_256", "."])
def root(request, tmp_path):
    """With and without the folder of the archive."""
    for i, name in enumerate(PHOTOS):
        path = tmp_path / request.param / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 10), (40 * i, 0, 0)).save(path)
    return tmp_path


def names_of(pictures, label):
    places = (torch.arange(60) + 0.5) / 60
    return {pictures.names[i] for i in pictures.by_class.choose(torch.full(places.shape, label), places).tolist()}


def test_the_paper_names_as_many_scenes_as_it_counts():
    counts = {name: len(scenes) for name, scenes in BENCHMARK_SCENES.items()}
    assert counts == SCENES_OF_EACH_CLASS
    assert round(np.mean(list(counts.values())), 2) == 8.47
    assert all(len(set(scenes)) == len(scenes) for scenes in BENCHMARK_SCENES.values())


def test_scenes_are_names_of_places365():
    scenes = {scene for group in BENCHMARK_SCENES.values() for scene in group}
    assert all(re.fullmatch("[a-z_]+(/[a-z]+)?", scene) and scene[0] in ascii_lowercase for scene in scenes)
    assert "childs_room" in scenes
    assert "child_sroom" not in scenes


def test_every_class_gets_photos_of_its_scenes(root):
    pictures = Places365(str(root), SCENES, side=8).load(["ball", "cup"])
    assert pictures.images.shape == (4, 3, 8, 8)
    assert names_of(pictures, 0) == {"a/arena/performance/1.jpg"}
    assert names_of(pictures, 1) == {"b/bar/1.jpg", "b/bar/2.jpg", "b/bakery/shop/1.jpg"}
    red = dict(zip(pictures.names, pictures.images[:, 0, 4, 4].tolist(), strict=True))
    assert red["b/bakery/shop/1.jpg"] == pytest.approx(80, abs=2)


def test_only_so_many_photos_of_a_scene(root):
    few = Places365(str(root), SCENES, per_scene=1).load(["cup"])
    assert few.names == ("b/bakery/shop/1.jpg", "b/bar/1.jpg")
    assert few.images.shape == (2, 3, 128, 128)
    assert len(Places365(str(root), SCENES, per_scene=None).load(["cup"]).names) == 3


def test_the_scenes_of_the_paper_are_those_asked_for(root):
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*b.basketball_court.indoor"):
        Places365(str(root)).load(["basketball"])


def test_a_missing_folder_comes_with_where_to_get_it(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"Places365: nothing at .*nowhere.*places2\.csail\.mit\.edu"):
        Places365(str(tmp_path / "nowhere"), SCENES).load(["cup"])


def test_a_missing_scene_is_named(root):
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*o.ocean'"):
        Places365(str(root), SCENES).load(["boat"])
    with pytest.raises(ConfigError, match=r"no scene for the classes \['plane'\]"):
        Places365(str(root), SCENES).load(["plane"])


def test_broken_photos_stop_or_are_skipped(root):
    (path,) = root.rglob("bar/1.jpg")
    path.write_text("no picture")
    with pytest.raises(DatasetError, match=r"bar.1\.jpg"):
        Places365(str(root), SCENES).load(["cup"])
    with pytest.warns(UserWarning, match="1 of 3"):
        assert names_of(Places365(str(root), SCENES, corrupt="skip").load(["cup"]), 0) == {
            "b/bar/2.jpg",
            "b/bakery/shop/1.jpg",
        }


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"per_scene": 0}, "per_scene is at least 1, not 0"), ({"scenes": {}}, "scenes maps each class")],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ConfigError, match=message):
        Places365("nowhere", **settings)
