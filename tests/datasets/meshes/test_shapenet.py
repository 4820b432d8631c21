import json

import pytest

from synthreal.datasets.meshes import ShapeNetV1, ShapeNetV2
from synthreal.errors import ConfigError, DatasetNotFoundError

PLANE, CAR, AIRLINER, JET = "02691156", "02958343", "02690373", "03595860"
TAXONOMY = [
    {"synsetId": PLANE, "name": "airplane,aeroplane,plane", "children": [AIRLINER], "numInstances": 3},
    {"synsetId": AIRLINER, "name": "airliner", "children": [JET], "numInstances": 1},
    {"synsetId": JET, "name": "jet,jet plane", "children": [], "numInstances": 1},
    {"synsetId": CAR, "name": "car,auto,automobile", "children": [], "numInstances": 1},
]
VERSIONS = [(ShapeNetV1, "model.obj"), (ShapeNetV2, "models/model_normalized.obj")]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "taxonomy.json").write_text(json.dumps(TAXONOMY))
    return tmp_path / "core"


@pytest.fixture(params=VERSIONS, ids=["v1", "v2"])
def version(request, root, write):
    collection, model = request.param
    for synset, name, width in [(PLANE, "a1", 0.2), (PLANE, "b2", 0.4), (PLANE, "c3", 0.6), (CAR, "d4", 0.8)]:
        write(root / synset / name / model, width)
    return collection


def test_every_synset_by_its_usual_name(version, root, widths):
    loaded = version(str(root)).load()
    assert loaded.classes == ("airplane", "car")
    assert loaded.labels.tolist() == [0, 0, 0, 1]
    assert widths(loaded) == [0.2, 0.4, 0.6, 0.8]
    assert loaded.meshes.names[0].startswith(f"{PLANE}/a1/")


@pytest.mark.parametrize("asked", [[CAR, "plane"], ["auto", PLANE], ["car", "airplane"]])
def test_classes_by_id_or_any_name_keep_the_name_asked(version, root, asked, widths):
    loaded = version(str(root), classes=asked).load()
    assert loaded.classes == tuple(asked)
    assert widths(loaded) == [0.8, 0.2, 0.4, 0.6]


def test_classes_get_names_of_one_s_own(version, root, widths):
    loaded = version(str(root), {"motorcar": CAR, "aeroplane": "plane"}).load()
    assert loaded.classes == ("motorcar", "aeroplane")
    assert widths(loaded) == [0.8, 0.2, 0.4, 0.6]


def test_without_a_taxonomy_ids_are_names(version, root):
    (root / "taxonomy.json").unlink()
    assert version(str(root)).classes == (PLANE, CAR)
    assert version(str(root), classes=[CAR]).load().labels.tolist() == [0]
    with pytest.raises(ConfigError, match=r"no class 'car'.*taxonomy\.json"):
        version(str(root), classes=["car"])


def test_the_limit_takes_the_first(version, root, widths):
    assert widths(version(str(root), limit_per_class=2).load()) == [0.2, 0.4, 0.8]
    with pytest.raises(ConfigError, match="limit_per_class"):
        version(str(root), limit_per_class=0)


def test_up_is_y_and_the_front_minus_z(version, root):
    file = next((root / CAR).rglob("*.obj"))
    # From the ground: the tip of the nose at z = -3, a wheel at x = 1, the roof at y = 2.
    file.write_text("v 0 0 -3\nv 0 0 0\nv 1 0 0\nv 0 2 0\nf 1 2 3\nf 1 2 4\n")
    packed = version(str(root), classes=["car"]).load().meshes
    found = {tuple(round(x * 3, 3) for x in row) for row in packed.vertices.tolist()}
    # (x, y, z) becomes (-x, z, y), centred on (-1/2, -3/2, 1): the nose has the least y, the roof the largest z.
    assert found == {(0.5, -1.5, -1), (0.5, 1.5, -1), (-0.5, 1.5, -1), (0.5, 1.5, 1)}


@pytest.mark.parametrize("asked", ["airliner", AIRLINER, "jet plane", JET])
def test_child_synsets_point_to_the_folder_that_holds_them(version, root, asked):
    with pytest.raises(ConfigError, match=rf"{asked}.*stored in its parent's, {PLANE} \(airplane\)"):
        version(str(root), classes=[asked])


def test_models_without_their_file_are_listed(version, root):
    (root / PLANE / "e5" / "images").mkdir(parents=True)
    loaded = version(str(root)).load()
    assert loaded.skipped == (f"{PLANE}/e5: no {version.model}",)
    assert len(loaded) == 4


def test_broken_models_are_skipped(version, root, broken):
    broken(root / PLANE / "e5" / version.model)
    with pytest.warns(UserWarning, match=f"{version.__name__}: 1 of 5"):
        assert len(version(str(root)).load()) == 4


def test_what_does_not_exist_is_named(version, root, tmp_path):
    with pytest.raises(ConfigError, match=rf"no class 'boat'.*{PLANE} \(airplane\), {CAR} \(car\)"):
        version(str(root), classes=["boat"])
    with pytest.raises(ConfigError, match="different synsets"):
        version(str(root), classes=["plane", "airplane"])
    with pytest.raises(ConfigError, match="different synsets"):
        version(str(root), classes=[])
    (tmp_path / "none").mkdir()
    for missing in ("none", "nowhere"):
        with pytest.raises(DatasetNotFoundError, match=f"{version.__name__}.*{missing}"):
            version(str(tmp_path / missing))


def test_a_name_of_two_synsets_is_no_answer(version, root):
    twice = [*TAXONOMY[:3], {"synsetId": CAR, "name": "car,plane", "children": []}]
    (root / "taxonomy.json").write_text(json.dumps(twice))
    with pytest.raises(ConfigError, match=f"{PLANE}, {CAR}"):
        version(str(root), classes=["plane"])


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}', '[{"name": "a"}]', '[{"synsetId": "1", "name": 3}]'])
def test_a_broken_taxonomy_is_named(version, root, text):
    (root / "taxonomy.json").write_text(text)
    with pytest.raises(ConfigError, match=r"taxonomy\.json is not"):
        version(str(root))


def test_v2_finds_its_images_beside_models(root, write, paint):
    write(root / PLANE / "a1" / "models" / "model_normalized.obj", texture="../images/texture0.png")
    paint(root / PLANE / "a1" / "images" / "texture0.png", (0, 0, 255))
    loaded = ShapeNetV2(str(root)).load()
    assert loaded.remarks == ()
    assert loaded.meshes.textures.texels[0] == 255 << 16
