"""Weights of an earlier run: what is copied, and which checkpoints are refused."""

import logging

import pytest
import torch
from torch import nn

from synthreal.errors import ConfigError
from synthreal.modules.pretrained import load_pretrained

_LOGGER = "lightning.pytorch.utilities.rank_zero"  # named, since a study before this test may have quietened Lightning


class Net(nn.Module):
    """Two layers with a normalisation between them; the head comes last."""

    def __init__(self, classes=3, width=4, norm=True):
        super().__init__()
        self.body = nn.Linear(2, width)
        self.norm = nn.BatchNorm1d(width) if norm else nn.Identity()
        self.head = nn.Linear(width, classes)


def net(seed, **shape):
    torch.manual_seed(seed)
    made = Net(**shape)
    if isinstance(made.norm, nn.BatchNorm1d):
        made.norm.running_mean.copy_(torch.rand(4))
    return made


def checkpoint(path, network, **more):
    """A file as Lightning writes it, of a Classifier with this network."""
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": {**weights, **more}, "optimizer_states": [], "global_step": 7}, path)
    return path


def same(a, b, *layers):
    own, other = a.state_dict(), b.state_dict()
    return all(torch.equal(own[key], other[key]) for key in own if key.split(".")[0] in layers)


def test_all_weights_and_statistics_are_copied(tmp_path, caplog):
    before, after = net(0), net(1)
    with caplog.at_level(logging.INFO, _LOGGER):
        load_pretrained(after, checkpoint(tmp_path / "a.ckpt", before))
    assert same(before, after, "body", "norm", "head")
    assert not caplog.messages
    assert not same(before, net(1), "body")


def test_a_head_for_other_classes_is_made_anew_and_it_is_said(tmp_path, caplog):
    before, fresh, after = net(0), net(1, classes=5), net(1, classes=5)
    with caplog.at_level(logging.INFO, _LOGGER):
        load_pretrained(after, checkpoint(tmp_path / "a.ckpt", before))
    assert same(before, after, "body", "norm")
    assert same(fresh, after, "head")
    assert "last layer 'head' has another shape" in caplog.text


def test_other_parts_of_the_module_are_none_of_the_networks_business(tmp_path):
    before, after = net(0), net(1)
    load_pretrained(after, checkpoint(tmp_path / "a.ckpt", before, temperature=torch.ones(1)))
    assert same(before, after, "body", "norm", "head")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"width": 5, "norm": False}, r"unknown: norm\..*of another shape: body\.weight, body\.bias\."),
        ({"norm": False}, r"unknown: norm\.weight, norm\.bias, .*, norm\.num_batches_tracked\. Take"),
        # a new head does not hide it
        ({"norm": False, "classes": 5}, r"unknown: norm\.weight"),
    ],
)
def test_another_network_is_refused_by_the_names_of_its_weights(tmp_path, own, message):
    after = Net(**own)
    start = {name: value.clone() for name, value in after.state_dict().items()}
    with pytest.raises(ConfigError, match=message):
        load_pretrained(after, checkpoint(tmp_path / "a.ckpt", net(0)))
    assert all(torch.equal(value, start[name]) for name, value in after.state_dict().items())


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"a\.ckpt holds the weights of another network\. missing: norm\.weight"):
        load_pretrained(net(0), checkpoint(tmp_path / "a.ckpt", Net(norm=False)))


def test_a_long_list_of_weights_is_cut(tmp_path):
    with pytest.raises(
        ConfigError, match=r"missing: 0\.weight, 0\.bias, 1\.weight, 1\.bias, 2\.weight and 1 more; unknown"
    ):
        load_pretrained(nn.Sequential(*(nn.Linear(2, 2) for _ in range(3))), checkpoint(tmp_path / "a.ckpt", net(0)))


def test_no_file_no_checkpoint_no_classifier(tmp_path):
    path = tmp_path / "a.ckpt"
    with pytest.raises(ConfigError, match=r"No checkpoint at .*a\.ckpt: pretrained names"):
        load_pretrained(net(0), path)
    for content in (b"", b"no checkpoint", b"PK\x03\x04 cut off"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"a\.ckpt is no checkpoint, or one that only loads by unpickling"):
            load_pretrained(net(0), path)
    for other in ({"state_dict": {"weight": torch.zeros(1)}}, {"epoch": 3}, [torch.zeros(1)]):
        torch.save(other, path)
        with pytest.raises(ConfigError, match=r"a\.ckpt is no checkpoint of a Classifier"):
            load_pretrained(net(0), path)


def test_a_file_is_never_unpickled(tmp_path):
    torch.save({"state_dict": {"network.weight": torch.zeros(1)}, "object": Net()}, tmp_path / "a.ckpt")
    with pytest.raises(ConfigError, match="unpickling"):
        load_pretrained(net(0), tmp_path / "a.ckpt")
