"""Pictures are decoded once in a process, and again when their files change."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from synthreal.datasets import remembered as module
from synthreal.datasets.decoding import read_pictures
from synthreal.datasets.files import LabelledFiles
from synthreal.datasets.remembered import remembered
from synthreal.errors import DatasetError


def write(path, grey):
    Image.fromarray(np.full((4, 4, 3), grey, np.uint8)).save(path)
    return path


def load(paths, side=4):
    labels = torch.zeros(len(paths), dtype=torch.int64)
    return LabelledFiles(tuple(paths), labels, ("a",), side).load().images


def test_the_same_files_are_decoded_once(tmp_path):
    paths = [write(tmp_path / f"{i}.png", 10 * i) for i in range(3)]
    first = load(paths)
    assert load(paths).data_ptr() == first.data_ptr()
    assert torch.equal(first, read_pictures(paths, 4)[0])
    assert load(paths, side=2).shape == (3, 3, 2, 2)
    assert load(paths[:2]).shape == (2, 3, 4, 4)


def test_a_file_that_changed_is_read_again(tmp_path):
    path = write(tmp_path / "a.png", 10)
    assert load([path]).unique().tolist() == [10]
    write(path, 20)
    os.utime(path, ns=(1, 1))  # a clock may be too coarse to tell
    assert load([path]).unique().tolist() == [20]


def test_only_a_few_sets_are_kept_and_no_large_ones(tmp_path, monkeypatch):
    calls = []

    def read(size):
        calls.append(size)
        return torch.zeros(size, dtype=torch.uint8), []

    file = write(tmp_path / "a.png", 0)
    monkeypatch.setattr(module, "_held", type(module._held)())
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    for size in (101, 101, 1, 2, 3, 4, 5, 6, 7, 1):
        remembered([file], size, lambda size=size: read(size))
    assert calls == [101, 101, 1, 2, 3, 4, 5, 6, 7, 1]
    remembered([file], 7, lambda: read(7))
    assert calls[-1] == 1


def test_a_missing_file_is_reported_by_the_reader(tmp_path):
    there, gone = write(tmp_path / "a.png", 10), tmp_path / "gone.png"
    with pytest.raises(DatasetError, match=r"gone\.png"):
        load([there, gone])
    write(gone, 20)
    assert load([there, gone]).shape == (2, 3, 4, 4)
