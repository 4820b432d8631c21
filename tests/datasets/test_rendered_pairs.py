"""Pairs come back as they were made, image with map with parameters, and what is no pair is named."""

import shutil
import warnings

import pytest
import torch
from PIL import Image

from synthreal.datasets import Noise, RenderedFolder, RenderedPairs
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError
from synthreal.generators import Glyphs, Painted
from tests.datasets.rendered_pairs_parts import CLASSES, COLUMNS, COUNT, Views, hand_made, made, read, write
from tests.datasets.rendered_parts import rewrite, rows


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same pairs in both layouts, to be read only."""
    root = tmp_path_factory.mktemp("pairs")
    for layout in ("folders", "shards"):
        write(root / layout, layout=layout)
    return root


@pytest.fixture
def own(written, tmp_path):
    """A copy in folders, to be damaged."""
    return shutil.copytree(written / "folders", tmp_path / "own")


@pytest.mark.parametrize("layout", ["folders", "shards"])
@pytest.mark.parametrize("split_by", ["instance", "image"])
def test_every_pair_comes_back_once_with_its_parameters(written, layout, split_by):
    batch = made()
    pixels = batch["image"].mul(255).round().byte()
    where = {image.numpy().tobytes(): i for i, image in enumerate(pixels)}
    assert len(where) == COUNT
    found = []
    for split in ("train", "test"):
        pairs = RenderedPairs(str(written / layout), split_by=split_by).pairs(split)
        index = [where[image.numpy().tobytes()] for image in pairs.images]
        assert index == sorted(index)
        assert torch.equal(pairs.semantic, 255 - pairs.images)
        assert pairs.labels.tolist() == batch["label"][index].tolist()
        assert torch.equal(pairs.parameters, batch["parameters"][index])
        assert (pairs.columns, pairs.classes, len(pairs)) == (COLUMNS, tuple(CLASSES), len(index))
        found += index
    assert sorted(found) == list(range(COUNT))


@pytest.mark.parametrize("settings", [{}, {"split_by": "image"}, {"test_share": 0.4, "seed": 3}])
def test_splits_are_those_of_the_rendered_folder(written, settings):
    for split in ("train", "test"):
        pairs = RenderedPairs(str(written / "shards"), **settings)
        images = RenderedFolder(str(written / "folders"), **settings).load(split)
        assert torch.equal(pairs.pairs(split).images, images.images)
        assert torch.equal(pairs.load(split).images, images.images)


def test_image_and_map_are_scaled_alike(written):
    train, _ = read(written / "folders", side=8)
    assert train.images.shape == train.semantic.shape == (48, 3, 8, 8)
    # The map is the complement; Pillow rounds each twice, across and down.
    assert (train.images.int() + train.semantic.int() - 255).abs().max() <= 2


def test_pairs_move_whole(written):
    train, _ = read(written / "folders")
    moved = train.to(torch.device("cpu"))
    for name in ("images", "semantic", "labels", "parameters"):
        assert torch.equal(getattr(moved, name), getattr(train, name))
    assert (moved.classes, moved.columns) == (train.classes, train.columns)


def test_flat_digits_come_with_their_rotation_as_tilt(tmp_path):
    generator = Painted(Glyphs(12), Noise(3, 16))
    write(tmp_path / "out", generator)
    train, _ = read(tmp_path / "out")
    others = tuple(name for name in generator.space.columns if name != "class")
    assert train.columns == ("class", "azimuth", "elevation", "tilt", *others)
    tilt, rotation = (train.parameters[:, train.columns.index(name)] for name in ("tilt", "rotation"))
    assert torch.equal(tilt, rotation)
    assert train.parameters[:, 1:3].abs().max() == 0


def test_a_folder_made_by_hand(tmp_path):
    root = hand_made(tmp_path, more={"u.lamp": 0.5, "u.azimuth": 7})
    for split_by in ("image", "instance"):
        held = RenderedPairs(str(root), split_by=split_by)
        pairs = [held.pairs(split) for split in ("train", "test")]
        grey = torch.cat([part.images[:, 0, 0, 0] for part in pairs]).long()
        number = grey // 10
        assert sorted(number.tolist()) == list(range(8))
        assert torch.equal(torch.cat([part.semantic[:, 1, 3, 5] for part in pairs]).long(), grey + 5)
        assert pairs[0].columns == ("class", "azimuth", "elevation", "tilt", "lamp")
        expected = torch.stack([number % 2, 40 * number, number, 0 * number, 0 * number], 1).float()
        expected[:, 4] = 0.5
        assert torch.equal(torch.cat([part.parameters for part in pairs]), expected)
        assert torch.equal(torch.cat([part.labels for part in pairs]), number % 2)


def test_a_folder_made_on_windows_with_names_that_are_not_ascii(tmp_path):
    root = hand_made(tmp_path)
    table, described = (root / "manifest.csv").read_text(), (root / "dataset.json").read_text()
    lines = table.replace(",a,", ",Käfer,").splitlines()
    (root / "manifest.csv").write_bytes("\r\n".join([*lines, ""]).encode("utf-8-sig"))
    (root / "dataset.json").write_bytes(described.replace('"a"', '"Käfer"').encode("utf-8-sig"))
    train, test = read(root)
    assert train.classes == ("Käfer", "b")
    assert len(train) + len(test) == 8


def test_whole_numbers_alone_are_parameters_to_write_into(tmp_path):
    torch.set_warn_always(True)  # or else only the first tensor of a process warns of memory that is read-only
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            parts = read(hand_made(tmp_path))
    finally:
        torch.set_warn_always(False)
    assert [str(warning.message) for warning in caught] == []
    assert sum(map(len, parts)) == 8


def test_a_hand_made_pair_without_its_map(tmp_path):
    root = hand_made(tmp_path)
    for number in (3, 6):
        (root / "semantic" / "set" / f"{number}.bmp").unlink()
    message = (
        r"2 of 8 images lack their semantic map, such as image/set/3\.bmp, which needs semantic/set/3\.bmp\. Add or "
    )
    with pytest.raises(
        DatasetError, match=message + "mend it, or take its row out of manifest.csv and lower the count"
    ):
        read(root)


@pytest.mark.parametrize("corrupt", ["stop", "skip"])
def test_an_image_without_its_map_and_how_to_make_it_again(own, corrupt):
    whole = read(own)
    for row in (30, 45):
        path = rows(own)[row]["path"]
        (own / path.replace("image", "semantic", 1)).unlink()
    first = rows(own)[30]["path"].removeprefix("image/")
    message = rf"2 of 60 images lack their semantic map, such as image/{first}, which needs semantic/{first}\. Delete "
    with pytest.raises(DatasetError, match=message + r".*parts.000001\.csv, and the same predict command"):
        read(own, corrupt=corrupt)
    (own / "parts" / "000001.csv").unlink()
    write(own)
    assert all(torch.equal(a.semantic, b.semantic) for a, b in zip(whole, read(own), strict=True))


def test_a_shard_without_maps(written, tmp_path):
    root = shutil.copytree(written / "shards", tmp_path / "shards")
    write(tmp_path / "plain", layout="shards", outputs=())
    shutil.copy(tmp_path / "plain" / "shard-000001.tar", root)
    message = r"25 of 60 images lack .*such as shard-000001.tar/000025.png, which needs .*/000025\.semantic\.png"
    with pytest.raises(DatasetError, match=message):
        read(root)


def smaller(path):
    Image.open(path).resize((4, 4)).save(path)


def grey(path):
    Image.open(path).convert("L").save(path)


def empty(path):
    path.write_bytes(b"")


def broken(path):
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize("side", [None, 3])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (smaller, "its map is 4 × 4 pixels, not 6 × 4"),
        (grey, r"its shape \[C, H, W\] is \[4, "),
        (empty, "its map: no picture"),
        (broken, r"its map: \w+"),
    ],
)
def test_maps_unlike_their_images_stop_or_are_skipped(own, spoil, reason, side):
    whole = torch.cat([part.parameters for part in read(own, side=side)])
    bad = [rows(own)[i]["path"] for i in (7, 52)]
    for path in bad:
        spoil(own / path.replace("image", "semantic", 1))
    found = rf"images are no pictures like the others, such as .*0000(07|52)\.png: {reason}.*set corrupt to skip"
    with pytest.raises(DatasetError, match=found):
        read(own, side=side)
    with pytest.warns(UserWarning, match="images were skipped"):
        left = torch.cat([part.parameters for part in read(own, side=side, corrupt="skip")])
    gone = made()["parameters"][[7, 52]]
    assert len(left) == COUNT - 2
    expected = {tuple(row) for row in whole.tolist()} - {tuple(row) for row in gone.tolist()}
    assert {tuple(row) for row in left.tolist()} == expected


def test_pairs_are_coloured(tmp_path):
    root = hand_made(tmp_path)
    for path in root.rglob("*.bmp"):
        grey(path)
    with pytest.raises(DatasetError, match=r"RGB, 6 channels together, not 2.*Painted does it"):
        read(root)


def test_a_data_set_without_maps(tmp_path):
    write(tmp_path / "out", outputs=())
    with pytest.raises(DatasetError, match=r"without semantic maps; it has image\. Write it to another folder"):
        read(tmp_path / "out")


def test_a_data_set_without_viewpoints(tmp_path):
    write(tmp_path / "out", Views(viewpoints=False))
    missing = r"manifest\.csv has no viewpoint\.azimuth, viewpoint\.elevation, viewpoint\.tilt.*such as MeshImages"
    with pytest.raises(DatasetError, match=missing):
        read(tmp_path / "out")


@pytest.mark.parametrize(
    ("column", "value"), [("viewpoint.tilt", "nan"), ("viewpoint.azimuth", "left"), ("u.light strength", "")]
)
def test_parameters_that_are_no_numbers(own, column, value):
    rewrite(own, [row | {column: value} if i in (2, 31) else row for i, row in enumerate(rows(own))])
    path = rows(own)[2]["path"]
    with pytest.raises(
        DatasetError, match=rf"{path} has {column} = .*no finite number \(of \d such values the first\)"
    ):
        # The first class's split decides which side has it.
        read(own, test_share=0.01)


def test_what_rendered_folders_refuse_is_refused(written, tmp_path):
    with pytest.raises(ConfigError, match=r"RenderedPairs has the splits train, test, but not 'validation'"):
        RenderedPairs(str(written / "folders")).pairs("validation")
    with pytest.raises(ConfigError, match="test_share"):
        RenderedPairs(str(written / "folders"), test_share=1.0)
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        RenderedPairs(str(tmp_path / "nowhere"))
    (tmp_path / "dataset.json").write_text('{"format": "synthreal data set 1", "classes": ["a"]}')
    with pytest.raises(DatasetError, match="describes no"):
        RenderedPairs(str(tmp_path))
