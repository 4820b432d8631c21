"""A data set is the same whatever happened on the way: failures, kills, limits, two processes."""

import os
import signal
from pathlib import Path

import pytest

from tests.callbacks.writer_parts import COUNT, data_set, manifest, predict, tree


@pytest.mark.parametrize("layout", ["folders", "shards"])
@pytest.mark.parametrize("made", [0, 1, 3])
def test_a_run_that_failed_goes_on(tmp_path, layout, made):
    predict(tmp_path / "whole", layout=layout)
    data = data_set(fail_at=1 + made)  # the fingerprint is one more call
    with pytest.raises(RuntimeError, match="power"):
        predict(tmp_path / "broken", data, layout=layout)
    assert not (tmp_path / "broken" / "manifest.csv").exists()
    assert len(list((tmp_path / "broken").glob("parts/*.csv"))) == made
    data = data_set()
    predict(tmp_path / "broken", data, layout=layout)
    assert data.generator.calls == 1 + 4 - made  # nothing is made twice
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")


def killed_at(rename, output, layout):
    """Runs in a process that dies just before one of its renames, with half of the file written."""
    if child := os.fork():
        return os.WTERMSIG(os.waitpid(child, 0)[1])
    calls, replace = [], Path.replace

    def die(self, target):
        calls.append(target)
        if len(calls) == rename:
            os.truncate(self, self.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    Path.replace = die
    try:
        predict(output, layout=layout)
    finally:
        os._exit(0)


# 1: dataset.json; folders: 7 a part (6 images, a record), 3 the last one; shards: 2 a part; the last of all: manifest
@pytest.mark.parametrize(
    ("layout", "rename", "parts"),
    [
        *[("folders", 4, 0), ("folders", 8, 0), ("folders", 9, 1), ("folders", 25, 3), ("folders", 26, 4)],
        *[("shards", 2, 0), ("shards", 3, 0), ("shards", 6, 2), ("shards", 10, 4)],
    ],
)
def test_a_killed_run_goes_on(tmp_path, layout, rename, parts):
    predict(tmp_path / "whole", layout=layout)
    assert killed_at(rename, tmp_path / "killed", layout) == signal.SIGKILL
    left = tree(tmp_path / "killed")
    unbroken = tree(tmp_path / "whole")
    assert "manifest.csv" not in left
    for name, content in left.items():  # a file is whole, or hidden
        assert Path(name).name.startswith(".") or content == unbroken[name]
    data = data_set()
    predict(tmp_path / "killed", data, layout=layout)
    assert data.generator.calls == 1 + 4 - parts
    assert tree(tmp_path / "killed") == unbroken


def test_killed_before_anything_was_written(tmp_path):
    assert killed_at(1, tmp_path / "killed", "folders") == signal.SIGKILL
    predict(tmp_path / "killed")
    assert len(manifest(tmp_path / "killed")) == COUNT


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
@pytest.mark.filterwarnings("ignore:.*local rank has zero length.*")
@pytest.mark.parametrize("made", [0, 3])
def test_two_processes_write_what_one_writes(tmp_path, made):
    predict(tmp_path / "one", layout="folders")
    if made:  # one part is left: the second process has nothing to do
        predict(tmp_path / "two", layout="folders", limit=made)
    predict(tmp_path / "two", layout="folders", devices=2)
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def test_a_limit_leaves_the_rest_for_later(tmp_path):
    predict(tmp_path / "out", limit=2)
    assert len(list((tmp_path / "out" / "parts").iterdir())) == 2
    assert not (tmp_path / "out" / "manifest.csv").exists()
    predict(tmp_path / "out")
    predict(tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_finished_data_set_stays_as_it_is(tmp_path):
    predict(tmp_path / "out")
    before = tree(tmp_path / "out")
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "image").rglob("*.png")}
    data = data_set()
    predict(tmp_path / "out", data)
    assert data.generator.calls == 1
    assert tree(tmp_path / "out") == before
    assert {file: file.stat().st_mtime_ns for file in times} == times
