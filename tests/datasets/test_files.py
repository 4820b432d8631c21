"""Labelled images that stay on disk."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthreal.batch import LabelledImages
from synthreal.datasets.files import LabelledFiles, kept
from synthreal.errors import ConfigError, DatasetError

NAMES = ("cat", "dog", "cow")


@pytest.fixture
def pets(tmp_path):
    """Two cats, a dog and two cows, each of one shade of red."""
    files = {"cat": ["a", "b"], "dog": ["c"], "cow": ["e", "d"]}
    for i, name in enumerate("abcde"):
        Image.new("RGB", (12, 8), (50 * i, 0, 9)).save(tmp_path / f"{name}.png")
    return LabelledFiles.of_classes({key: [tmp_path / f"{x}.png" for x in value] for key, value in files.items()}, 4)


@pytest.fixture
def cut_short(tmp_path):
    """A JPEG with a good header and half of its data."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "jpeg")
    path = tmp_path / "cut.jpg"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    return path


def fake(count, classes=NAMES):
    """Files that are only named."""
    return LabelledFiles(
        tuple(Path(f"{i}.png") for i in range(count)), torch.arange(count) % len(classes), classes, side=4
    )


def test_files_of_classes_come_one_class_after_another(pets):
    assert [path.stem for path in pets.paths] == ["a", "b", "c", "e", "d"]
    assert pets.labels.tolist() == [0, 0, 1, 2, 2]
    assert pets.labels.dtype == torch.int64
    assert (pets.classes, len(pets), pets.shape) == (NAMES, 5, (3, 4, 4))


def test_a_class_without_files_keeps_its_place():
    files = LabelledFiles.of_classes({"cat": [], "dog": [Path("a")], "cow": [Path("b")]}, 8)
    assert files.labels.tolist() == [1, 2]
    assert files.classes == NAMES
    assert len(LabelledFiles.of_classes({"cat": []}, 8)) == 0


def test_reading_keeps_the_order_asked_for(pets):
    images = pets.read(torch.tensor([3, 0, 3]))
    assert images.dtype == torch.uint8
    assert images.shape == (3, 3, 4, 4)
    assert images[:, :, 2, 1].tolist() == [[200, 0, 9], [0, 0, 9], [200, 0, 9]]
    assert pets.read(torch.zeros(0, dtype=torch.int64)).shape == (0, 3, 4, 4)


def test_a_selection_reads_its_own_files(pets):
    some = pets.select(torch.tensor([4, 1]))
    assert some.labels.tolist() == [2, 0]
    assert some.read(torch.tensor([0, 1]))[:, 0, 0, 0].tolist() == [150, 50]
    assert (some.classes, some.side) == (NAMES, 4)


@given(st.data())
def test_selections_compose(data):
    files = fake(data.draw(st.integers(1, 9)))
    first = torch.tensor(data.draw(st.lists(st.integers(0, len(files) - 1), min_size=1)))
    second = torch.tensor(data.draw(st.lists(st.integers(0, len(first) - 1), min_size=1)))
    twice, once = files.select(first).select(second), files.select(first[second])
    assert twice.paths == once.paths
    assert twice.labels.tolist() == once.labels.tolist() == [int(path.stem) % 3 for path in once.paths]


def test_loading_gives_what_reading_does(pets):
    images = pets.load()
    assert isinstance(images, LabelledImages)
    assert torch.equal(images.images, pets.read(torch.arange(5)))
    assert images.labels.tolist() == [0, 0, 1, 2, 2]
    assert images.classes == NAMES


def test_a_file_that_went_bad_is_named_when_it_is_read(pets):
    pets.paths[2].write_text("no picture")
    assert pets.read(torch.tensor([1, 3])).shape == (2, 3, 4, 4)
    with pytest.raises(DatasetError, match=r"Not a picture: .*c\.png: .*Remove it"):
        pets.read(torch.tensor([1, 2]))
    pets.paths[2].unlink()
    with pytest.raises(DatasetError, match=r"c\.png: .*No such file"):
        pets.read(torch.tensor([2]))


def test_labels_stay_with_their_pictures_when_some_are_skipped(pets):
    pets.paths[0].write_bytes(b"")
    pets.paths[3].write_bytes(b"\x89PNG")
    with pytest.raises(DatasetError, match=r"a\.png: .* and 1 more"):
        pets.load()
    with pytest.warns(UserWarning, match="2 of 5 pictures were skipped"):
        images = pets.load("skip")
    assert images.labels.tolist() == [0, 1, 2]
    assert images.images[:, 0, 0, 0].tolist() == [50, 100, 150]
    with pytest.warns(UserWarning, match="2 of 5 pictures were skipped"):
        files = pets.checked("skip")
    assert [path.stem for path in files.paths] == ["b", "c", "d"]
    assert files.labels.tolist() == [0, 1, 2]


def test_stop_looks_at_headers_and_skip_at_everything(pets, cut_short):
    files = LabelledFiles.of_classes({"cat": [*pets.paths, cut_short]}, 4)
    assert files.checked().paths == files.paths
    with pytest.warns(UserWarning, match=r"1 of 6 pictures were skipped: .*cut\.jpg"):
        assert files.checked("skip").paths == pets.paths
    pets.paths[1].write_text("no picture")
    with pytest.raises(DatasetError, match=r"Not a picture: .*b\.png"):
        files.checked()


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_kept_images_are_the_same_in_memory_and_on_disk(pets, keep):
    images = kept(pets, keep)
    assert isinstance(images, LabelledImages if keep == "memory" else LabelledFiles)
    pixels = images.images if keep == "memory" else images.read(torch.arange(5))
    assert torch.equal(pixels, pets.read(torch.arange(5)))
    assert images.labels.tolist() == [0, 0, 1, 2, 2]


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_every_class_must_keep_a_picture(pets, keep):
    pets.paths[2].write_text("no picture")
    with pytest.warns(UserWarning, match="1 of 5"), pytest.raises(DatasetError, match=r"left of the classes \['dog'\]"):
        kept(pets, keep, "skip")


def test_digests_are_those_of_the_bytes(pets, tmp_path):
    pets.paths[1].write_bytes(pets.paths[0].read_bytes())
    digests = pets.digests()
    assert digests == [hashlib.sha256(path.read_bytes()).hexdigest() for path in pets.paths]
    assert digests[0] == digests[1] != digests[2]


def test_the_fingerprint_is_the_hash_of_all_that_a_model_sees(pets, tmp_path):
    expected = hashlib.sha256(repr(((3, 4, 4), NAMES)).encode())
    expected.update("".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in pets.paths).encode())
    expected.update(np.array([0, 0, 1, 2, 2], dtype="<i8").tobytes())
    assert pets.fingerprint() == expected.hexdigest()
    moved = [path.rename(path.with_stem(f"moved_{path.stem}")) for path in pets.paths]
    assert LabelledFiles(tuple(moved), pets.labels, NAMES, 4).fingerprint() == expected.hexdigest()


def test_files_move_whole(pets):
    moved = pets.to(torch.device("cpu"))
    assert (moved.paths, moved.classes, moved.side) == (pets.paths, NAMES, 4)
    assert moved.labels.tolist() == [0, 0, 1, 2, 2]


@pytest.mark.parametrize(
    ("labels", "side", "message"),
    [
        (torch.tensor([0.0, 1.0]), 4, "labels must be int64, not torch.float32"),
        (torch.tensor([0, 1], dtype=torch.int32), 4, "labels must be int64, not torch.int32"),
        (torch.tensor([0, 1, 2]), 4, r"2 files but labels of shape \[3\]"),
        (torch.tensor([[0], [1]]), 4, r"2 files but labels of shape \[2, 1\]"),
        (torch.tensor([0, 3]), 4, r"from 0 to 3, but there are 3 classes \(0 to 2\)"),
        (torch.tensor([-1, 2]), 4, "from -1 to 2"),
        (torch.tensor([0, 1]), 0, "side is at least 1 pixel, not 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(labels, side, message):
    # past the constructor, where the type check of the tests would be first
    made = object.__new__(LabelledFiles)
    vars(made).update(paths=(Path("a"), Path("b")), labels=labels, classes=NAMES, side=side)
    with pytest.raises(ConfigError, match=message):
        made.__post_init__()
