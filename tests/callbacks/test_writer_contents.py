"""A data set on disk is the one that was drawn, in folders and in shards."""

import json
import tarfile

import numpy as np
import pytest
import torch

from synthreal.callbacks.encoding import encode
from synthreal.errors import ConfigError
from tests.callbacks.writer_parts import CLASSES, COUNT, MAPS, expected, manifest, pixels, predict, tree


def test_folders_hold_the_pixels_that_the_generator_made(tmp_path):
    predict(tmp_path / "out", outputs=MAPS)
    draws, made = expected()
    names = [name for name in tree(tmp_path / "out") if name.endswith(".png")]
    assert len(names) == COUNT * 5
    for i in range(COUNT):
        place = f"{CLASSES[int(draws['parameters'][i, 0])]}/{i:06d}.png"
        held = {name: pixels((tmp_path / "out" / name / place).read_bytes()) for name in ("image", *MAPS)}
        made_here = {name: made[name][i].permute(1, 2, 0).numpy() for name in ("image", *MAPS)}
        for name in ("image", "semantic"):
            np.testing.assert_allclose(held[name] / 255, made_here[name], atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(held["mask"] / 255, made_here["mask"][..., 0], atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(held["depth"] / 4096, made_here["depth"][..., 0], atol=0.5 / 4096 + 1e-6)
        np.testing.assert_allclose((held["normals"] - 128) / 127, made_here["normals"], atol=0.5 / 127 + 1e-6)
        assert held["depth"][0, 0] == 0
        assert held["normals"][0, 0].tolist() == [128, 128, 128]


def test_the_manifest_is_the_draws(tmp_path):
    predict(tmp_path / "out")
    draws, made = expected()
    rows = manifest(tmp_path / "out")
    assert [int(row["index"]) for row in rows] == list(range(COUNT))
    for i, row in enumerate(rows):
        label = int(draws["parameters"][i, 0])
        assert row["path"] == f"image/{CLASSES[label]}/{i:06d}.png"
        assert (tmp_path / "out" / row["path"]).is_file()
        assert (row["class"], int(row["label"])) == (CLASSES[label], label)
        assert (int(row["bucket"]), int(row["seed"])) == (int(draws["bucket"][i]), int(draws["seed"][i]))
        written = [np.float32(row[f"u.{name}"]) for name in ("class", "red", "far")]
        assert written == draws["parameters"][i].tolist()  # to the last bit
        assert [float(row[f"box.{side}"]) for side in ("left", "top", "right", "bottom")] == [2, 1, 5, 3]
        assert np.float32(row["viewpoint.azimuth"]) == made["viewpoint"][i, 0].numpy()
        assert row["viewpoint.tilt"] == "0.1"
    assert {row["class"] for row in rows} == set(CLASSES)


def test_shards_hold_the_same(tmp_path):
    predict(tmp_path / "shards", layout="shards", outputs=MAPS)
    predict(tmp_path / "folders", outputs=MAPS)
    shards = sorted(path.name for path in (tmp_path / "shards").glob("*.tar"))
    assert shards == [f"shard-00000{part}.tar" for part in range(4)]
    kinds = {"png": "image", **{f"{name}.png": name for name in MAPS}}
    rows = {row["index"]: row for row in manifest(tmp_path / "folders")}
    seen = []
    for shard in shards:
        with tarfile.open(tmp_path / "shards" / shard) as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar}
            assert {member.mtime for member in tar} == {0}
        for name, content in members.items():
            key, _, kind = name.partition(".")
            row = rows[str(int(key))]
            if kind in kinds:
                assert content == (tmp_path / "folders" / kinds[kind] / row["class"] / f"{key}.png").read_bytes()
            elif kind == "cls":
                assert content.decode() == row["label"]
            else:
                assert kind == "json"
                assert {k: str(v) for k, v in json.loads(content).items()} == {k: row[k] for k in row if k != "path"}
        keys = [name.partition(".")[0] for name in members]
        assert keys == sorted(keys)  # members of a sample lie together, as WebDataset wants them
        seen += sorted(set(keys))
        assert len(members) == 7 * len(set(keys))
    assert seen == [f"{i:06d}" for i in range(COUNT)]
    paths = [row["path"] for row in manifest(tmp_path / "shards")]
    assert paths[7] == "shard-000001.tar/000007.png"


def test_transparent_images_have_straight_colours(tmp_path):
    predict(tmp_path / "out", transparent=True)
    draws, made = expected()
    for row in manifest(tmp_path / "out"):
        held = pixels((tmp_path / "out" / row["path"]).read_bytes())
        i = int(row["index"])
        assert held.shape == (4, 6, 4)
        np.testing.assert_allclose(held[..., 3], made["mask"][i, 0].numpy() * 255, atol=0.5)
        # the edge pixel, a quarter covered, has the block's own colour, not a quarter of it
        colour = [float(draws["parameters"][i, 1]), float(draws["seed"][i] % 97) / 97, 0.2]
        np.testing.assert_allclose(held[1, 2, :3], np.array(colour) * 255, atol=0.51)
        assert held[0, 0].tolist() == [0, 0, 0, 0]


def test_what_a_png_cannot_hold_or_a_generator_does_not_make_is_named():
    batch = {"image": torch.zeros(1, 1, 2, 2), "depth": torch.full((1, 1, 2, 2), 15.99)}
    assert encode(batch, ["depth"], False)["depth"].tolist() == [[[65495] * 2] * 2]  # 15.99 · 4096 = 65495.04
    batch["depth"][0, 0, 1, 1] = 16
    with pytest.raises(ConfigError, match="16 units"):
        encode(batch, ["depth"], False)
    with pytest.raises(ConfigError, match="image, depth but no mask"):
        encode(batch, ["depth"], True)
    with pytest.raises(ConfigError, match="no normals, semantic"):
        encode(batch, ["semantic", "normals"], False)


def test_normals_are_whole_steps_from_128():
    normals = torch.tensor([-1.0, 0.0, 1.0])[None, :, None, None]
    written = encode({"image": torch.zeros(1, 1, 1, 1), "normals": normals}, ["normals"], False)
    assert written["normals"].tolist() == [[[[1, 128, 255]]]]
