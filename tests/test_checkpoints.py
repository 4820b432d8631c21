"""Checkpoints are read without running what is in them, and a part's weights are those of that part alone."""

from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from synthreal.checkpoints import read_checkpoint, weights_of
from synthreal.errors import ConfigError


class Trap:
    """Leaves a trace if it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("trace"),))


def test_what_was_saved_is_read():
    torch.save({"state_dict": {"a": torch.arange(3)}, "epoch": 4, "names": ["x"]}, "a.ckpt")
    content = read_checkpoint("a.ckpt", "checkpoint")
    assert content["epoch"] == 4
    assert content["names"] == ["x"]
    assert torch.equal(content["state_dict"]["a"], torch.arange(3))
    assert read_checkpoint(Path("a.ckpt"), "checkpoint").keys() == content.keys()


def test_a_missing_file_is_named_with_its_setting(tmp_path):
    for path in ("none.ckpt", str(tmp_path)):
        with pytest.raises(ConfigError, match=rf"No checkpoint at {path}: pretrained names a \.ckpt file"):
            read_checkpoint(path, "pretrained")


def test_objects_are_not_unpickled():
    torch.save({"state_dict": {}, "more": Trap()}, "trap.ckpt")
    with pytest.raises(ConfigError, match="only loads by unpickling objects"):
        read_checkpoint("trap.ckpt", "checkpoint")
    assert not Path("trace").exists()


@given(st.binary(max_size=60))
@example(b"")
@example(b"model:\n  class_path: MrGAN\n")
@example(b"PK\x03\x04 cut short")
@example(b"cos\nsystem\n(S'true'\ntR.")
def test_what_is_no_checkpoint_is_refused(content):
    Path("odd.ckpt").write_bytes(content)
    try:
        assert read_checkpoint("odd.ckpt", "checkpoint") == {}  # bytes may happen to be a number, say
    except ConfigError as error:
        assert "odd.ckpt is no checkpoint" in str(error)


def test_a_file_that_was_cut_short_is_refused():
    torch.save({"state_dict": {"a": torch.rand(1000)}}, "a.ckpt")
    whole = Path("a.ckpt").read_bytes()
    for kept in (10, len(whole) // 2, len(whole) - 10):
        Path("a.ckpt").write_bytes(whole[:kept])
        with pytest.raises(ConfigError, match="is no checkpoint"):
            read_checkpoint("a.ckpt", "checkpoint")


def test_a_lone_tensor_holds_no_parts():
    torch.save(torch.rand(3), "a.ckpt")
    assert read_checkpoint("a.ckpt", "checkpoint") == {}


def test_weights_of_one_part():
    saved = {"net.a": 1, "net.net.b": 2, "network.a": 3, "net": 4, "other.net.a": 5}
    weights = {name: torch.tensor(value) for name, value in saved.items()}
    found = weights_of({"state_dict": weights}, "net")
    assert {name: int(value) for name, value in found.items()} == {"a": 1, "net.b": 2}
    for none in ({"state_dict": weights}, {"state_dict": None}, {}):
        assert weights_of(none, "body") == {}
