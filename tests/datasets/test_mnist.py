import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from synthreal.datasets import MNIST
from synthreal.errors import DatasetError, DatasetNotFoundError


def write_idx(path, array):
    """The format of the official files: two zeros, type 8 (uint8), dimensions, sizes big-endian, bytes."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(root):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    stream = np.random.default_rng(0)
    written = {}
    for split, prefix, count in (("train", "train", 12), ("test", "t10k", 5)):
        images, labels = stream.integers(0, 256, (count, 28, 28)), stream.integers(0, 10, count)
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", labels)
        written[split] = images, labels
    return written


def test_files_in_the_official_format_are_read(tmp_path):
    written = write_mnist(tmp_path)
    data = MNIST(str(tmp_path))
    for split in ("train", "test"):
        loaded = data.load(split)
        images, labels = written[split]
        assert loaded.images.dtype == torch.uint8
        np.testing.assert_array_equal(loaded.images.numpy(), images[:, None])
        assert loaded.labels.dtype == torch.int64
        np.testing.assert_array_equal(loaded.labels.numpy(), labels)
        assert loaded.classes == tuple("0123456789")


def test_a_missing_folder_is_named_with_the_command_that_fills_it(tmp_path):
    root = str(tmp_path / "nowhere")
    with pytest.raises(DatasetNotFoundError) as caught:
        MNIST(root).load("train")
    message = str(caught.value)
    assert str(Path(root) / "MNIST" / "raw") in message
    assert f"from torchvision.datasets import MNIST; MNIST('{root}', download=True)" in message
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_missing_file_is_enough(tmp_path, split):
    write_mnist(tmp_path)
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetNotFoundError, match="MNIST"):
        MNIST(str(tmp_path)).load(split)


@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
@pytest.mark.parametrize("damage", ["cut", "empty", "page", "type", "fewer"])
def test_a_damaged_file_is_not_a_missing_one(tmp_path, kind, damage):
    write_mnist(tmp_path)
    path = tmp_path / "MNIST" / "raw" / f"train-{kind}-ubyte"
    whole = path.read_bytes()
    damaged = {
        "cut": whole[:-3],
        "empty": b"",
        "page": b"<!DOCTYPE html><html></html>",
        "type": b"\0\0\x0d" + whole[3:],
    }
    path.write_bytes(damaged.get(damage, b""))
    if damage == "fewer":
        write_idx(path, np.zeros((4, 28, 28) if "images" in kind else 4))
    with pytest.raises(DatasetError, match=r"MNIST: .*raw.*damaged.*get them again"):
        MNIST(str(tmp_path)).load("train")
    assert len(MNIST(str(tmp_path)).load("test")) == 5


def test_nothing_is_written_where_nothing_was_found(tmp_path):
    with pytest.raises(DatasetNotFoundError):
        MNIST(str(tmp_path)).load("test")
    assert list(tmp_path.iterdir()) == []
