"""Where pictures come from, and which class may have which."""

import numpy as np
import pytest
import torch
from PIL import Image

from synthreal.datasets.pictures import Noise, Photos, Scenes, shared
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

LABELS = ("cup", "ship", "banana")
PLACES = (torch.arange(120) + 0.5) / 120  # finer than any list of members here


def save(path, red=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 8), (red, 0, 0)).save(path)


def names_of(pictures, label):
    """Names of all pictures that a class can get."""
    index = pictures.by_class.choose(torch.full(PLACES.shape, label), PLACES)
    return {pictures.names[i] for i in index.tolist()}


def test_photos_of_a_folder_and_below_go_with_every_class(tmp_path):
    for i, name in enumerate(("b.jpg", "a.png", "sea/c.jpeg", "sea/deep/d.webp", ".trash/e.jpg", "sea/.f.png")):
        save(tmp_path / name, 40 * i)
    (tmp_path / "readme.txt").touch()
    pictures = Photos(str(tmp_path), side=10).load(LABELS)
    assert pictures.names == ("a.png", "b.jpg", "sea/c.jpeg", "sea/deep/d.webp")
    assert pictures.images.shape == (4, 3, 10, 10)
    np.testing.assert_allclose(pictures.images[:, 0, 5, 5], [40, 0, 80, 120], atol=2)
    assert pictures.by_class.count.tolist() == [4, 4, 4]
    for label in range(3):
        assert names_of(pictures, label) == set(pictures.names)


def test_patterns_leave_photos_out(tmp_path):
    for name in ("airliner_1.jpg", "n02_airliner.png", "plane/field.jpg", "cup.jpg"):
        save(tmp_path / name)
    pictures = Photos(str(tmp_path), exclude=["*airliner*", "cup.???"]).load(["airplane"])
    assert pictures.names == ("plane/field.jpg",)
    with pytest.raises(DatasetNotFoundError, match="Set root to a folder of JPEG or PNG"):
        Photos(str(tmp_path), exclude=["*"]).load(["airplane"])


def test_no_photos(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"Photos: nothing at .*nowhere"):
        Photos(str(tmp_path / "nowhere")).load(LABELS)


def test_broken_photos_stop_or_are_skipped(tmp_path):
    save(tmp_path / "a.png", 10)
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    save(tmp_path / "c.png", 90)
    with pytest.raises(DatasetError, match=r"b\.png"):
        Photos(str(tmp_path)).load(LABELS)
    with pytest.warns(UserWarning, match="1 of 3 pictures were skipped"):
        pictures = Photos(str(tmp_path), corrupt="skip").load(LABELS)
    assert pictures.names == ("a.png", "c.png")
    assert pictures.images[:, 0, 3, 3].tolist() == [10, 90]
    assert names_of(pictures, 2) == {"a.png", "c.png"}


SCENES = {
    "cup": ["kitchen", "b/bakery"],
    "ship": ["sea"],
    "banana": ["kitchen"],
    "stove": ["kitchenette"],
    "unused": ["desert"],
}


@pytest.fixture
def places(tmp_path):
    for i, name in enumerate(("kitchen/1.jpg", "kitchen/2.jpg", "b/bakery/1.jpg", "sea/1.jpg", "sea/far/2.jpg")):
        save(tmp_path / name, 50 * i)
    save(tmp_path / "kitchenette" / "1.jpg")  # begins like another scene
    return tmp_path


def test_every_class_gets_its_own_scenes_only(places):
    pictures = Scenes(str(places), SCENES, side=8).load([*LABELS, "stove"])
    assert names_of(pictures, 0) == {"kitchen/1.jpg", "kitchen/2.jpg", "b/bakery/1.jpg"}
    assert names_of(pictures, 1) == {"sea/1.jpg", "sea/far/2.jpg"}
    assert names_of(pictures, 2) == {"kitchen/1.jpg", "kitchen/2.jpg"}
    assert names_of(pictures, 3) == {"kitchenette/1.jpg"}
    assert pictures.by_class.count.tolist() == [3, 2, 2, 1]
    red = dict(zip(pictures.names, pictures.images[:, 0, 4, 4].tolist(), strict=True))
    assert red["sea/1.jpg"] == pytest.approx(150, abs=2)


def test_a_scene_within_a_scene_is_read_once(places):
    save(places / "sea" / "shore" / "3.jpg")
    pictures = Scenes(str(places), {"ship": ["sea", "sea/shore"], "crab": ["sea/shore"]}).load(["ship", "crab"])
    assert pictures.names == ("sea/1.jpg", "sea/far/2.jpg", "sea/shore/3.jpg")
    assert names_of(pictures, 0) == set(pictures.names)
    assert names_of(pictures, 1) == {"sea/shore/3.jpg"}


def test_scenes_may_be_written_as_paths(places):
    pictures = Scenes(str(places), {"cup": ["kitchen/", "./b//bakery"]}).load(["cup"])
    assert names_of(pictures, 0) == {"kitchen/1.jpg", "kitchen/2.jpg", "b/bakery/1.jpg"}


def test_scenes_that_lack_something(places):
    with pytest.raises(ConfigError, match=r"no scene for the classes \['plane'\]; it has \['banana', 'cup'"):
        Scenes(str(places), SCENES).load(["cup", "plane"])
    with pytest.raises(ConfigError, match="no scene for"):
        Scenes(str(places), {"cup": []}).load(["cup"])
    with pytest.raises(ConfigError, match="scenes maps each class"):
        Scenes(str(places), {})
    with pytest.raises(DatasetNotFoundError, match=r"Scenes: nothing at .*desert.*take it out of scenes"):
        Scenes(str(places), SCENES).load(["unused"])
    (places / "desert").mkdir()
    with pytest.raises(DatasetNotFoundError, match="desert"):
        Scenes(str(places), SCENES).load(["unused"])


def test_a_class_whose_scenes_are_all_broken_is_named(places):
    for path in (places / "sea").rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="2 of 5"), pytest.raises(ConfigError, match="left for the class 'ship'"):
        Scenes(str(places), SCENES, corrupt="skip").load(LABELS)


def test_noise_is_the_same_every_time_and_never_twice():
    one, again, other = Noise(30, 32).load(LABELS), Noise(30, 32).load(["a"]), Noise(30, 32, seed=1).load(LABELS)
    assert torch.equal(one.images, again.images)
    assert one.images.shape == (30, 3, 32, 32)
    assert names_of(one, 2) == {f"noise_0_{i}" for i in range(30)}
    every = torch.cat([one.images, other.images]).float().flatten(1)
    assert torch.pdist(every).min() > 500  # over 9 grey values a pixel and channel
    assert set(one.names).isdisjoint(other.names)


def test_noise_has_shades_and_colours():
    images = Noise(50, 32).load(LABELS).images.float()
    assert images.std((1, 2, 3)).min() > 10
    assert images.mean((2, 3)).std(0).min() > 30  # its hue and brightness differ from picture to picture
    assert 0.2 < images.mean() / 255 < 0.8


@pytest.mark.parametrize("settings", [{"count": 0}, {"side": 15}])
def test_noise_out_of_range(settings):
    with pytest.raises(ConfigError, match="at least 1 picture of at least 16 pixels"):
        Noise(**settings)


def test_pictures_move_whole():
    pictures = shared(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), ["a", "b"], 3)
    moved = pictures.to(torch.device("cpu"))
    assert (moved.names, moved.by_class.count.tolist()) == (("a", "b"), [2, 2, 2])
    assert torch.equal(moved.images, pictures.images)
