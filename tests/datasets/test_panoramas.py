"""Radiance files, written by an encoder that shares nothing with the reader."""

import weakref

import numpy as np
import pytest
import torch

from synthreal.datasets import panoramas
from synthreal.datasets.panoramas import load_panoramas, read_radiance
from synthreal.errors import DatasetError, DatasetNotFoundError

HEADER = b"#?RADIANCE\n# made by hand\nFORMAT=32-bit_rle_rgbe\nEXPOSURE=1.0\n\n"


def pack_run(channel):
    """Run-length code of one channel of a row: runs of 3 and more repeat, the rest is copied."""
    code, i = bytearray(), 0
    while i < len(channel):
        end = i
        while end < len(channel) and end - i < 127 and channel[end] == channel[i]:
            end += 1
        if end - i >= 3:
            code += bytes([128 + end - i, channel[i]])
        else:
            end = i
            while end < len(channel) and end - i < 128 and len(set(channel[end : end + 3].tolist())) != 1:
                end += 1
            end = end if end < len(channel) - 2 else min(len(channel), i + 128)
            code += bytes([end - i]) + channel[i:end].tobytes()
        i = end
    return bytes(code)


def radiance(rgbe, packed=True):
    height, width = rgbe.shape[:2]
    body = rgbe.tobytes()
    if packed:
        rows = (b"".join(pack_run(row[:, k]) for k in range(4)) for row in rgbe)
        body = b"".join(bytes([2, 2, width >> 8, width & 255]) + row for row in rows)
    return HEADER + b"-Y %d +X %d\n" % (height, width) + body


def random_rgbe(height=6, width=300, seed=0):
    """Rows of noise and of runs, longer than the longest run that the code can tell."""
    draw = np.random.default_rng(seed)
    rgbe = draw.integers(0, 256, (height, width, 4), dtype=np.uint8)
    rgbe[..., 3] = draw.integers(100, 150, (height, width))
    rgbe[1::2, 20:280] = rgbe[1::2, 20:21]
    rgbe[0, 0, 3] = 0
    return rgbe


@pytest.mark.parametrize("packed", [True, False])
def test_values_are_those_of_the_format(tmp_path, packed):
    rgbe = random_rgbe()
    path = tmp_path / "a.hdr"
    path.write_bytes(radiance(rgbe, packed))
    mantissa, exponent = rgbe[..., :3].astype(np.float64), rgbe[..., 3:].astype(np.float64)
    expected = mantissa / 256 * 2.0 ** (exponent - 128) * (exponent > 0)
    made = read_radiance(path)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, rtol=1e-7)
    assert (made[0, 0] == 0).all()


def test_by_hand(tmp_path):
    # 128/256 · 2^(129 - 128) = 1; an exponent of 128 halves it; 255 is as bright as the format gets
    rgbe = np.array([[[128, 64, 0, 129], [128, 64, 0, 128], [9, 9, 9, 0], [255, 0, 0, 255]]], np.uint8)
    (tmp_path / "a.hdr").write_bytes(radiance(rgbe, packed=False))
    expected = [[1, 0.5, 0], [0.5, 0.25, 0], [0, 0, 0], [255 * 2.0**119, 0, 0]]
    assert read_radiance(tmp_path / "a.hdr")[0].tolist() == expected


def test_flat_pictures_may_begin_like_a_run(tmp_path):
    # Only widths of 8 to 32,767 are ever run-length coded.
    rgbe = np.full((3, 4, 4), 2, np.uint8)
    (tmp_path / "a.hdr").write_bytes(radiance(rgbe, packed=False))
    assert read_radiance(tmp_path / "a.hdr").shape == (3, 4, 3)


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_short_anywhere(tmp_path, packed):
    whole = radiance(random_rgbe(3, 20), packed)
    path = tmp_path / "short.hdr"
    for end in [*range(0, len(whole) - 40, 7), *range(len(whole) - 40, len(whole))]:
        path.write_bytes(whole[:end])
        with pytest.raises(DatasetError, match=r"short\.hdr: not a Radiance picture"):
            read_radiance(path)
    path.write_bytes(whole)
    assert read_radiance(path).shape == (3, 20, 3)


BODY = bytes(8 * 8 * 4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "at its start"),
        (b"\x89PNG\r\n", "at its start"),
        (b"#?RADIANCE\n" + b"a=b\n" * 200, "no line -Y height"),
        (b"#?RADIANCE\n\n+X 8 -Y 8\n" + BODY, "not a Radiance picture"),
        (b"#?RADIANCE\n\n-Y eight +X 8\n" + BODY, "not a Radiance picture"),
        (b"#?RADIANCE\n\n-Y -8 +X -8\n" + BODY, "not a Radiance picture"),
        (b"#?RADIANCE\n\n-Y 0 +X 8\n" + BODY, "not a Radiance picture"),
        (b"#?RADIANCE\n\n-Y 99999 +X 99999\n" + BODY, "cannot be in"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_xyze\n\n-Y 8 +X 8\n" + BODY, "XYZ"),
        (b"#?RADIANCE\n\n-Y 1 +X 8\n\x02\x02\x00\x09" + BODY, "another width"),
        (b"#?RADIANCE\n\n-Y 1 +X 8\n\x02\x02\x00\x08\x89\x01" + BODY, "longer than its row"),
        (b"#?RADIANCE\n\n-Y 1 +X 8\n\x02\x02\x00\x08\x00" + BODY, "longer than its row"),
    ],
)
def test_what_it_refuses(tmp_path, data, words):
    (tmp_path / "bad.hdr").write_bytes(data)
    with pytest.raises(DatasetError, match=words) as error:
        read_radiance(tmp_path / "bad.hdr")
    assert "bad.hdr" in str(error.value)


def test_no_bytes_raise_anything_else(tmp_path):
    whole, draw, path = radiance(random_rgbe(4, 24)), np.random.default_rng(1), tmp_path / "a.hdr"
    broken = 0
    for _ in range(200):
        data = np.frombuffer(whole, np.uint8).copy()
        place = draw.integers(0, len(data), draw.integers(1, 5))
        data[place] = draw.integers(0, 256, len(place))
        path.write_bytes(data.tobytes())
        try:
            assert np.isfinite(read_radiance(path)).all()
        except DatasetError:
            broken += 1
    assert 20 < broken < 200


def test_a_folder_is_averaged_down_and_sorted(tmp_path):
    rgbe = np.zeros((8, 16, 4), np.uint8)
    rgbe[..., :3], rgbe[..., 3] = 128, 129  # 1 everywhere
    (tmp_path / "b.hdr").write_bytes(radiance(rgbe))
    rgbe[:, 8:, 3] = 131  # and 4 in the right half
    (tmp_path / "a.hdr").write_bytes(radiance(rgbe))
    (tmp_path / "c.exr").touch()
    pictures, names = load_panoramas(tmp_path, height=2)
    assert names == ("a.hdr", "b.hdr")
    assert pictures.shape == (2, 3, 2, 4)
    assert pictures[0, 1].tolist() == [[1, 1, 4, 4], [1, 1, 4, 4]]
    assert torch.equal(pictures[1], torch.ones(3, 2, 4))
    assert load_panoramas(tmp_path, height=16)[0].shape == (2, 3, 16, 32)


def test_any_case_counts_and_hidden_files_do_not(tmp_path):
    (tmp_path / "B.HDR").write_bytes(radiance(random_rgbe()))
    (tmp_path / "a.hdr").write_bytes(radiance(random_rgbe()))
    (tmp_path / "._a.hdr").write_bytes(b"left behind by a file manager")
    assert load_panoramas(tmp_path)[1] == ("B.HDR", "a.hdr")


def test_panoramas_are_shrunk_one_after_the_other(tmp_path, monkeypatch):
    for name in ("a.hdr", "b.hdr", "c.hdr"):
        (tmp_path / name).write_bytes(radiance(random_rgbe()))
    alive = weakref.WeakValueDictionary()
    most = []

    def watched(path):
        picture = read_radiance(path)
        alive[path] = picture
        most.append(len(alive))
        return picture

    monkeypatch.setattr(panoramas, "read_radiance", watched)
    load_panoramas(tmp_path, height=4)
    assert len(most) == 3
    assert max(most) <= 2  # the one before may live until its name is taken


def test_an_empty_folder(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetNotFoundError, match=r"Panoramas: nothing at .*\*\.hdr"):
            load_panoramas(folder)
