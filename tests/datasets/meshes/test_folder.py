import pytest
import torch

from synthreal.datasets.meshes import MeshFolder
from synthreal.errors import ConfigError, DatasetNotFoundError, MeshError


@pytest.fixture
def root(tmp_path, write):
    root = tmp_path / "models"
    write(root / "car" / "b.obj", 0.2)
    write(root / "car" / "a.OBJ", 0.4)
    write(root / "bus" / "scan" / "model.obj", 0.6)
    return root


def test_folders_are_classes_and_files_meshes(root, widths):
    (root / "car" / "readme.txt").write_text("not a mesh")
    (root / "car" / "._b.obj").write_text("left behind by a file manager")
    (root / ".hidden").mkdir()
    collection = MeshFolder(str(root))
    assert collection.classes == ("bus", "car")
    loaded = collection.load()
    assert loaded.classes == ("bus", "car")
    assert loaded.meshes.names == ("bus/scan/model.obj", "car/a.OBJ", "car/b.obj")
    assert loaded.labels.tolist() == [0, 1, 1]
    assert loaded.labels.dtype == torch.int64
    assert widths(loaded) == [0.6, 0.4, 0.2]
    assert loaded.skipped == loaded.remarks == ()


def test_classes_come_in_the_order_asked(root, widths):
    loaded = MeshFolder(str(root), classes=["car", "bus"]).load()
    assert loaded.classes == ("car", "bus")
    assert loaded.labels.tolist() == [0, 0, 1]
    assert widths(loaded) == [0.4, 0.2, 0.6]


def test_axes_turn_the_meshes(root):
    house = MeshFolder(str(root), classes=["bus"], up="+z", front="-y").load()
    width, depth, height = (house.meshes.vertices.max(0).values - house.meshes.vertices.min(0).values).tolist()
    assert (width, depth, height) == pytest.approx((0.6, 1, 0))


def test_textures_are_shrunk(root, write, paint):
    write(root / "car" / "b.obj", texture="../Textures/red.png")
    paint(root / "Textures" / "red.png")
    loaded = MeshFolder(str(root), classes=["car"], texture_size=2).load()
    assert loaded.meshes.textures.size.tolist() == [[2, 2]]
    assert loaded.meshes.textures.texels[0] == 255  # red is the lowest byte
    assert loaded.remarks == ()


def test_folders_without_a_mesh_are_listed_but_no_reason_to_warn(root, paint):
    paint(root / "Textures" / "red.png")
    paint(root / "car" / "maps" / "red.png")
    loaded = MeshFolder(str(root)).load()
    assert loaded.classes == ("bus", "car")
    assert loaded.skipped == ("Textures: no mesh file", "car/maps: no mesh file")


def test_what_is_broken_is_skipped_with_one_warning(root, broken, write, widths):
    for i in range(4):
        broken(root / "car" / f"c{i}.obj")
    write(root / "car" / "d.obj", 0.8, texture="lost.png")
    with pytest.warns(UserWarning, match="MeshFolder: 4 of 8 meshes were skipped") as warned:
        loaded = MeshFolder(str(root)).load()
    assert len(warned) == 1
    text = str(warned[0].message)
    assert "car/c2.obj: a position is not a finite number" in text
    assert "and 1 more" in text
    assert "c3" not in text
    assert [line.split(":")[0] for line in loaded.skipped] == [f"car/c{i}.obj" for i in range(4)]
    assert str(root) not in loaded.skipped[0]
    assert loaded.remarks == ("car/d.obj: failed to load image: no file 'lost.png' beside it",)
    assert widths(loaded) == [0.6, 0.4, 0.2, 0.8]


def test_missing_root_and_class_are_named_at_once(root):
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        MeshFolder(str(root / "nowhere"))
    with pytest.raises(DatasetNotFoundError, match="plane"):
        MeshFolder(str(root), classes=["car", "plane"])
    (root / "plane").mkdir()
    with pytest.raises(DatasetNotFoundError, match="plane"):
        MeshFolder(str(root), classes=["car", "plane"])
    with pytest.raises(DatasetNotFoundError, match="mesh"):
        MeshFolder(str(root / "plane"))


def test_class_with_nothing_but_broken_meshes_is_named(root, broken):
    broken(root / "plane" / "a.obj")
    with pytest.raises(MeshError, match=r"no mesh of class 'plane'.*plane/a\.obj: a position is not"):
        MeshFolder(str(root)).load()


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"classes": []}, "classes"),
        ({"classes": ["car", "car"]}, "classes"),
        ({"up": "+z", "front": "-z"}, "perpendicular"),
        ({"front": "forward"}, "front"),
        ({"texture_size": 0}, "texture_size"),
    ],
)
def test_senseless_settings_are_named(root, setting, reason):
    with pytest.raises(ConfigError, match=reason):
        MeshFolder(str(root), **setting)


def test_linked_folders_below_a_class_are_read_but_not_in_circles(tmp_path, root, write, widths):
    write(tmp_path / "elsewhere" / "deep" / "c.obj", 0.8)
    (root / "car" / "set").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(root / "car")
    (tmp_path / "elsewhere" / ".hidden.obj").write_text("not shown")
    (root / "car" / "lost.obj").symlink_to(tmp_path / "nowhere.obj")
    loaded = MeshFolder(str(root), classes=["car"]).load()
    assert loaded.meshes.names == ("car/a.OBJ", "car/b.obj", "car/set/deep/c.obj")
    assert widths(loaded) == [0.4, 0.2, 0.8]
