import collections
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from synthreal.components import accepts, build, resolve
from synthreal.errors import ConfigError


def widen(width, bias=True, **more) -> nn.Linear:
    """Returns a layer twice as wide as asked for."""
    return nn.Linear(width, 2 * width, bias=bias, **more)


def forget(width) -> nn.Module:
    """Returns nothing."""


def touch(path):
    """Returns a layer, but does not say so."""
    Path(path).touch()
    return nn.Linear(1, 1)


def puzzle() -> "Nowhere":
    """Returns what only a type checker knows."""


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Puts this file's functions where a class path finds them, however pytest imported it."""
    here = types.ModuleType("functions_for_tests")
    here.widen, here.forget, here.touch, here.puzzle = widen, forget, touch, puzzle
    monkeypatch.setitem(sys.modules, "functions_for_tests", here)


def test_build_makes_the_class_with_its_arguments():
    layer = build("torch.nn.Conv2d", nn.Module, {"kernel_size": 3, "stride": 2}, 4, 5)
    assert isinstance(layer, nn.Conv2d)
    assert (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride) == (4, 5, (3, 3), (2, 2))


def test_build_supplies_what_a_config_cannot_hold():
    weight = nn.Parameter(torch.zeros(3))
    optimizer = build("torch.optim.SGD", torch.optim.Optimizer, {"lr": 0.5, "momentum": 0.9}, [weight])
    assert optimizer.param_groups[0]["params"] == [weight]
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["momentum"] == 0.9


def test_build_calls_a_function_that_makes_the_object():
    layer = build("functions_for_tests.widen", nn.Module, {"bias": False}, 3)
    assert (layer.in_features, layer.out_features, layer.bias) == (3, 6, None)
    with pytest.raises(
        ConfigError, match=r"functions_for_tests\.widen: missing .*'width'.* It takes: width, bias, more\."
    ):
        build("functions_for_tests.widen", nn.Module, {})


def test_a_function_that_makes_something_else_is_refused():
    with pytest.raises(ConfigError, match=r"widen' does not say that it returns a torch\.optim\.optimizer\.Optimizer"):
        build("functions_for_tests.widen", torch.optim.Optimizer, {"width": 3})
    with pytest.raises(ConfigError, match=r"forget returned a NoneType, not a torch\.nn"):
        build("functions_for_tests.forget", nn.Module, {"width": 3})


def test_a_function_that_may_do_anything_is_not_called(tmp_path):
    with pytest.raises(ConfigError, match=r"touch' does not say that it returns a torch\.nn.*: annotate it"):
        build("functions_for_tests.touch", nn.Module, {"path": str(tmp_path / "touched")})
    assert not (tmp_path / "touched").exists()
    with pytest.raises(ConfigError, match="getoutput' does not say"):
        build("subprocess.getoutput", nn.Module, {"cmd": f"touch {tmp_path / 'touched'}"})
    with pytest.raises(ConfigError, match="puzzle' does not say"):
        build("functions_for_tests.puzzle", nn.Module, {})


def test_functions_of_torchvision_and_timm_are_called(monkeypatch):
    network = build("torchvision.models.squeezenet1_1", nn.Module, {"num_classes": 3})
    assert network.num_classes == 3
    monkeypatch.setattr(touch, "__module__", "timm.models")
    assert resolve("functions_for_tests.touch", nn.Module) is touch


def test_an_unknown_argument_is_named_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"torch\.optim\.SGD.*momentun") as caught:
        build("torch.optim.SGD", torch.optim.Optimizer, {"momentun": 0.9}, [nn.Parameter(torch.zeros(1))])
    accepted = str(caught.value).split("It takes: ")[1]
    assert "momentum" in accepted
    assert "params" not in accepted  # supplied by the caller


def test_a_missing_argument_is_named():
    with pytest.raises(ConfigError, match="out_features"):
        build("torch.nn.Linear", nn.Module, {"in_features": 3})


def test_an_error_inside_the_class_is_not_taken_for_a_wrong_argument():
    # a TypeError from the constructor's own code must come through as it is
    with pytest.raises((TypeError, ValueError)) as caught:
        build("torch.nn.Conv2d", nn.Module, {"groups": 0}, 4, 5, 3)
    assert not isinstance(caught.value, ConfigError)


@pytest.mark.parametrize(
    "class_path",
    ["torch.optim.SDG", "torch.optimm.SGD", "nowhere.to.Be.found", "SGD", "", ".SGD", "torch.optim.", "torch..SGD"],
)
def test_a_class_path_that_leads_nowhere_is_quoted(class_path):
    with pytest.raises(ConfigError) as caught:
        resolve(class_path, torch.optim.Optimizer)
    assert repr(class_path) in str(caught.value)


@pytest.mark.parametrize("class_path", ["torch.nn.Linear", "torch.relu", "torch.optim.lr_scheduler"])
def test_another_kind_of_thing_is_refused(class_path):
    with pytest.raises(ConfigError, match=r"not a subclass of torch\.optim\.optimizer\.Optimizer, nor a function"):
        resolve(class_path, torch.optim.Optimizer)


def test_resolve_returns_the_class_or_the_function():
    assert resolve("functions_for_tests.widen", nn.Module) is widen
    assert resolve("collections.OrderedDict", dict) is collections.OrderedDict
    assert resolve("synthreal.networks.LeNet", nn.Module).__name__ == "LeNet"


def test_accepts_looks_at_the_signature():
    assert accepts("synthreal.networks.LeNet", nn.Module, "num_classes")
    assert not accepts("torch.nn.Linear", nn.Module, "num_classes")
    assert accepts("functions_for_tests.widen", nn.Module, "width")
    assert accepts("functions_for_tests.widen", nn.Module, "num_classes")  # as one of **more
    assert not accepts("functions_for_tests.forget", nn.Module, "num_classes")
    with pytest.raises(ConfigError):
        accepts("torch.nn.Nothing", nn.Module, "num_classes")
