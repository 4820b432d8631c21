import os

import pytest
import torch

from synthreal.datasets.meshes import MeshFolder, reading
from synthreal.rendering.packing import PackedMeshes


@pytest.fixture
def root(tmp_path, write, paint):
    root = tmp_path / "models"
    write(root / "car" / "a.obj", 0.5, texture="a.png")
    paint(root / "car" / "a.png")
    write(root / "car" / "b.obj", 0.25, texture="../b.png")
    paint(root / "b.png")
    return root


@pytest.fixture
def reads(monkeypatch):
    """The files that are read, as they are read."""
    files, real = [], reading.read_mesh
    monkeypatch.setattr(reading, "read_mesh", lambda path, *rest: (files.append(path.name), real(path, *rest))[1])
    return files


def same(one, other):
    assert one.meshes.names == other.meshes.names
    assert (one.classes, one.skipped, one.remarks) == (other.classes, other.skipped, other.remarks)
    assert torch.equal(one.labels, other.labels)
    first, second = one.meshes.tensors(), other.meshes.tensors()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_files_are_read_once(root, reads, cache):
    first = MeshFolder(str(root)).load()
    assert reads == ["a.obj", "b.obj"]
    assert [path.suffix for path in cache.iterdir()] == [".pt"]
    second = MeshFolder(str(root)).load()
    assert reads == ["a.obj", "b.obj"]
    assert isinstance(second.meshes, PackedMeshes)
    same(first, second)


def test_a_moved_collection_keeps_its_cache(root, reads):
    MeshFolder(str(root)).load()
    root.rename(root.with_name("elsewhere"))
    MeshFolder(str(root.with_name("elsewhere"))).load()
    assert len(reads) == 2


@pytest.mark.parametrize("change", ["mesh", "texture", "texture above", "time", "new", "settings", "classes"])
def test_whatever_changes_the_meshes_makes_them_anew(root, reads, write, paint, change):
    first = MeshFolder(str(root)).load()
    settings = {"texture_size": 2} if change == "settings" else {"classes": ["car"]}
    if change == "mesh":
        write(root / "car" / "b.obj", 0.75, texture="../b.png")
    elif change == "texture":
        paint(root / "car" / "a.png", (0, 255, 0))
    elif change == "texture above":
        paint(root / "b.png", (0, 255, 0))
    elif change == "time":
        os.utime(root / "car" / "a.obj", ns=(1, 1))
    elif change == "new":
        write(root / "car" / "c.obj")
    elif change == "classes":
        write(root / "bus" / "d.obj")
        settings = {"classes": ["bus", "car"]}
    second = MeshFolder(str(root), **settings).load()
    assert len(reads) > 3
    if change == "texture":
        assert first.meshes.textures.texels[0] == 255
        assert second.meshes.textures.texels[0] == 255 << 8


@pytest.mark.parametrize("linked", ["car", "car/set", "car/a.obj"])
@pytest.mark.parametrize("change", ["mesh", "texture", "new texture"])
def test_what_changes_behind_a_link_makes_them_anew(tmp_path, root, reads, write, paint, widths, linked, change):
    write(root / "car" / "b.obj", 0.25)
    write(root / "car" / "set" / "c.obj", 0.5, texture="c.png")
    paint(root / "car" / "set" / "c.png")
    place = tmp_path / "elsewhere" / linked
    place.parent.mkdir(parents=True)
    (root / linked).rename(place)
    (root / linked).symlink_to(place)
    MeshFolder(str(root)).load()
    read = len(reads)
    MeshFolder(str(root)).load()
    assert len(reads) == read == 3
    if change == "mesh":
        name = "a" if linked == "car/a.obj" else "c"
        path = root / "car" / "a.obj" if name == "a" else root / "car" / "set" / "c.obj"
        write(path, 0.75, texture=f"{name}.png")
        assert 0.75 in widths(MeshFolder(str(root)).load())
    else:
        paint(root / "car" / "set" / ("c.png" if change == "texture" else "d.png"), (0, 255, 0))
        MeshFolder(str(root)).load()
    assert len(reads) == 6


def test_without_a_cache_nothing_is_kept(root, reads, cache):
    MeshFolder(str(root), cache=False).load()
    MeshFolder(str(root), cache=False).load()
    assert len(reads) == 4
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other"])
def test_a_damaged_cache_is_made_anew(root, reads, cache, damage):
    first = MeshFolder(str(root)).load()
    (path,) = cache.iterdir()
    if damage == "other":
        torch.save({"names": ["a"], "tensors": {}}, path)
    else:
        path.write_bytes({"cut": path.read_bytes()[:-200], "empty": b"", "text": b"no tensors"}[damage])
    same(first, MeshFolder(str(root)).load())
    assert len(reads) == 4
    same(first, MeshFolder(str(root)).load())
    assert len(reads) == 4


def test_the_cache_warns_as_the_first_time(root, broken):
    broken(root / "car" / "c.obj")
    texts = []
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 of 3 meshes were skipped") as warned:
            MeshFolder(str(root)).load()
        texts.append(str(warned[0].message))
    assert texts[0] == texts[1]


def test_a_cache_folder_that_cannot_be_written_is_no_crash(root, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="not kept"):
        loaded = MeshFolder(str(root)).load()
    assert len(loaded) == 2


def test_home_is_the_cache_without_xdg(root, monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    MeshFolder(str(root)).load()
    assert len(list((tmp_path / "home" / ".cache" / "synthreal" / "meshes").iterdir())) == 1
