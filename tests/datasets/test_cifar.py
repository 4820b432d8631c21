"""CIFAR's binary versions: files of a few rows in the layout that its page documents."""

import hashlib
import io
import tarfile
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from threading import Thread

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthreal.datasets.cifar import Cifar10, Cifar100
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Labels of the rows of each file: every batch has another number of rows.
LABELS = {
    "data_batch_1.bin": [3, 0],
    "data_batch_2.bin": [9],
    "data_batch_3.bin": [1, 0, 3],
    "data_batch_4.bin": [3],
    "data_batch_5.bin": [7, 9],
    "test_batch.bin": [2, 9, 0],
}
TRAIN = [3, 0, 9, 1, 0, 3, 3, 7, 9]
COARSE_AND_FINE = {"train.bin": [(14, 2), (8, 8), (18, 90), (0, 99), (19, 0)], "test.bin": [(18, 8), (14, 98)]}


def pixels_of(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def file_bytes(labels, pixels):
    """Row after row: one or two label bytes, then 3,072 pixels."""
    return b"".join(
        bytes(np.atleast_1d(label).tolist()) + image.tobytes() for label, image in zip(labels, pixels, strict=True)
    )


def write_files(folder, labels):
    """Writes each file and returns its pixels."""
    folder.mkdir(parents=True)
    pixels = {name: pixels_of(len(rows), i) for i, (name, rows) in enumerate(labels.items())}
    for name, rows in labels.items():
        (folder / name).write_bytes(file_bytes(rows, pixels[name]))
    return pixels


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    """A root with CIFAR-10, and the pixels of its training rows."""
    root = tmp_path_factory.mktemp("ten")
    pixels = write_files(root / "cifar-10-batches-bin", LABELS)
    return root, np.concatenate([pixels[f"data_batch_{i}.bin"] for i in range(1, 6)]), pixels["test_batch.bin"]


def test_planes_are_red_green_blue_and_rows_run_from_the_top(tmp_path):
    row = bytearray(1 + 3072)
    row[0] = 5  # dog
    row[1 + 2 * 32 + 7] = 200  # red, third row, eighth column
    row[1 + 1024 + 31] = 150  # green, end of the first row
    row[1 + 2048 + 31 * 32] = 100  # blue, start of the last row
    (tmp_path / "cifar-10-batches-bin").mkdir()
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(row)
    loaded = Cifar10(str(tmp_path)).load("test")
    assert (loaded.images.dtype, loaded.images.shape) == (torch.uint8, (1, 3, 32, 32))
    assert loaded.images.nonzero().tolist() == [[0, 0, 2, 7], [0, 1, 0, 31], [0, 2, 31, 0]]
    assert loaded.images[loaded.images > 0].tolist() == [200, 150, 100]
    assert [loaded.classes[label] for label in loaded.labels] == ["dog"]


def test_the_training_split_is_five_files_one_after_another(ten):
    root, train, test = ten
    loaded = Cifar10(str(root)).load("train")
    np.testing.assert_array_equal(loaded.images.numpy(), train)
    assert (loaded.labels.dtype, loaded.labels.tolist()) == (torch.int64, TRAIN)
    assert loaded.classes == TEN
    other = Cifar10(str(root)).load("test")
    np.testing.assert_array_equal(other.images.numpy(), test)
    assert other.labels.tolist() == [2, 9, 0]


def test_the_fine_label_is_the_second_byte(tmp_path):
    pixels = write_files(tmp_path / "cifar-100-binary", COARSE_AND_FINE)
    for split, names in (("train", ["baby", "bicycle", "train", "worm", "apple"]), ("test", ["bicycle", "woman"])):
        loaded = Cifar100(str(tmp_path)).load(split)
        assert [loaded.classes[label] for label in loaded.labels] == names
        np.testing.assert_array_equal(loaded.images.numpy(), pixels[f"{split}.bin"])
    people = Cifar100(str(tmp_path), classes=["woman", "baby"])
    assert people.load("train").labels.tolist() == [1]
    assert people.load("test").labels.tolist() == [0]


def test_fine_classes_have_the_numbers_of_fine_label_names():
    names = Cifar100().classes
    assert len(set(names)) == len(names) == 100
    assert list(names) == sorted(names)
    numbers = {"aquarium_fish": 1, "bicycle": 8, "boy": 11, "bus": 13, "crab": 26, "girl": 35, "man": 46}
    numbers |= {"motorcycle": 48, "pickup_truck": 58, "streetcar": 81, "train": 90, "woman": 98}
    assert {name: names.index(name) for name in numbers} == numbers


@settings(max_examples=40)
@given(st.permutations(TEN), st.integers(1, 10))
def test_some_classes_are_relabelled_in_their_order(ten, order, count):
    root, train, _ = ten
    chosen = order[:count]
    loaded = Cifar10(str(root), classes=chosen).load("train")
    kept = [i for i, label in enumerate(TRAIN) if TEN[label] in chosen]
    np.testing.assert_array_equal(loaded.images.numpy(), train[kept].reshape(-1, 3, 32, 32))
    assert [loaded.classes[label] for label in loaded.labels] == [TEN[TRAIN[i]] for i in kept]
    assert loaded.classes == tuple(chosen)


@pytest.mark.parametrize("classes", [[], ["cat", "cat"], ["cat", "car"], ["Cat"]])
def test_class_names_that_cannot_be(classes):
    with pytest.raises(ConfigError, match=r"different names out of airplane, automobile, .*truck; not") as caught:
        Cifar10(classes=classes)
    assert str(classes) in str(caught.value)


def test_there_is_no_validation_split(ten):
    with pytest.raises(ConfigError, match="Cifar10 has the splits train, test, but not 'validation'"):
        Cifar10(str(ten[0])).load("validation")


@pytest.mark.parametrize("name", list(LABELS))
def test_a_missing_file_is_named_with_the_command_that_gets_it(tmp_path, name):
    write_files(tmp_path / "cifar-10-batches-bin", LABELS)
    missing = tmp_path / "cifar-10-batches-bin" / name
    missing.unlink()
    split, other = ("test", "train") if name == "test_batch.bin" else ("train", "test")
    with pytest.raises(DatasetNotFoundError) as caught:
        Cifar10(str(tmp_path)).load(split)
    message = str(caught.value)
    assert message.startswith(f"CIFAR-10: nothing at {str(missing)!r}.")
    assert f"Unpack https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz in {tmp_path}, set root" in message
    assert len(Cifar10(str(tmp_path)).load(other)) > 0


def test_nothing_is_written_where_nothing_was_found(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"CIFAR-100: nothing at .*cifar-100-binary.train\.bin"):
        Cifar100(str(tmp_path / "data")).load("train")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=40)
@given(st.integers(0, 3 * 3073))
def test_a_file_that_is_cut_short_is_named(tmp_path_factory, size):
    root = tmp_path_factory.mktemp("short")
    write_files(root / "cifar-10-batches-bin", LABELS)
    path = root / "cifar-10-batches-bin" / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:size])
    if size in (3073, 2 * 3073, 3 * 3073):
        assert len(Cifar10(str(root)).load("train")) == len(TRAIN) - 3 + size // 3073
    else:
        with pytest.raises(DatasetError, match=rf"data_batch_3\.bin: {size} bytes are no whole number of rows of 3073"):
            Cifar10(str(root)).load("train")


def test_a_file_of_the_other_version_is_no_whole_number_of_rows(tmp_path):
    write_files(tmp_path / "cifar-100-binary", LABELS | {"train.bin": [1, 2, 3]})
    with pytest.raises(DatasetError, match=r"rows of 3074.*replace it by the one in https.*cifar-100-binary"):
        Cifar100(str(tmp_path)).load("train")


def test_a_label_out_of_range_is_named(tmp_path):
    write_files(tmp_path / "cifar-10-batches-bin", LABELS | {"data_batch_3.bin": [1, 10, 3]})
    with pytest.raises(DatasetError, match=r"data_batch_3\.bin: byte 0 of row 1 is 10, but that label is 0 to 9\."):
        Cifar10(str(tmp_path)).load("train")
    write_files(tmp_path / "cifar-100-binary", {"train.bin": [(19, 99), (20, 5)], "test.bin": [(0, 5), (3, 100)]})
    with pytest.raises(DatasetError, match=r"train\.bin: byte 0 of row 1 is 20, but that label is 0 to 19\."):
        Cifar100(str(tmp_path)).load("train")
    with pytest.raises(DatasetError, match=r"test\.bin: byte 1 of row 1 is 100, but that label is 0 to 99\."):
        Cifar100(str(tmp_path)).load("test")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def published(tmp_path, monkeypatch):
    """An archive in the layout of the published one, offered by this process in that one's place; its path."""
    path = tmp_path / "server" / "cifar-10-binary.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for i, (name, labels) in enumerate(LABELS.items()):
            data = file_bytes(labels, pixels_of(len(labels), i))
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    server = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=path.parent))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(Cifar10, "url", f"http://127.0.0.1:{server.server_port}/{path.name}")
    monkeypatch.setattr(Cifar10, "md5", hashlib.md5(path.read_bytes()).hexdigest())
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield path
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_unpacked_and_leaves_nothing_else(tmp_path, published, ten):
    root = tmp_path / "data"
    loaded = Cifar10(str(root), download=True).load("train")
    np.testing.assert_array_equal(loaded.images.numpy(), ten[1])
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-bin"]
    assert {path.name for path in (root / "cifar-10-batches-bin").iterdir()} == set(LABELS)
    published.unlink()  # what is there is not fetched again
    assert Cifar10(str(root), download=True).load("test").labels.tolist() == [2, 9, 0]


def test_a_folder_that_lacks_a_file_is_completed(tmp_path, published):
    write_files(tmp_path / "cifar-10-batches-bin", LABELS)
    (tmp_path / "cifar-10-batches-bin" / "data_batch_5.bin").unlink()
    assert Cifar10(str(tmp_path), download=True).load("train").labels.tolist() == TRAIN


def test_the_command_in_the_error_gets_the_files(tmp_path, published):
    with pytest.raises(DatasetNotFoundError) as caught:
        Cifar10(str(tmp_path)).load("test")
    exec(str(caught.value).split('python -c "')[1].removesuffix('"'))
    assert Cifar10(str(tmp_path)).load("test").labels.tolist() == [2, 9, 0]


@pytest.mark.parametrize("damage", ["no server", "other bytes"])
def test_a_download_that_fails_leaves_nothing(tmp_path, published, monkeypatch, damage):
    if damage == "no server":
        monkeypatch.setattr(Cifar10, "url", "http://127.0.0.1:1/cifar-10-binary.tar.gz")
    else:
        published.write_bytes(published.read_bytes() + b"\0")  # its MD5 sum is another
    root = tmp_path / "data"
    with pytest.raises(
        DatasetNotFoundError, match=r"nothing at .*cifar-10-batches-bin.*The download failed \("
    ) as caught:
        Cifar10(str(root), download=True).load("train")
    assert "Unpack http://127.0.0.1:" in str(caught.value)
    assert list(root.iterdir()) == []


def test_the_published_sums():
    assert Cifar10.md5 == "c32a1d4ab5d03f1284b67883e8d87530"
    assert Cifar100.md5 == "03b5dce01913d631647c71ecec9e9cb8"
    assert Cifar100.url == "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
