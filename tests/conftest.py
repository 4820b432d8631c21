"""Shapes of public arrays are checked at run time in every test."""

import os
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_MODE", "disabled")
# Lightning calls jsonargparse by names that it deprecates.
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

import sys
from types import ModuleType

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

import synthreal.rendering.kernels.passes  # noqa: F401 compiled by Warp: its C types cannot be checked

checker = ModuleType("checker")  # the hook wants a name to import
checker.check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as mypy has it
sys.modules["checker"] = checker
install_import_hook("synthreal", "checker.check").__enter__()

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    """Runs each test in a folder of its own, so that nothing is left in the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)


@pytest.fixture(scope="session")
def shipped_data(tmp_path_factory):
    """A folder whose `data/` and `runs/` have what the shipped configs read."""
    from tests.shipped_data import write_shipped_data, write_shipped_runs

    folder = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthreal.datasets.meshes.reading.write_cache", lambda *_: None)
        patch.chdir(folder)
        write_shipped_data(folder / "data")
        write_shipped_runs(folder / "runs")
    return folder


@pytest.fixture
def in_folder_with_data(shipped_data, tmp_path, monkeypatch):
    """Runs a test where `data/` and `runs/` have what the shipped configs read."""
    (tmp_path / "data").symlink_to(shipped_data / "data")
    shutil.copytree(shipped_data / "runs", tmp_path / "runs")  # runs are written there, too
    # The user's cache folder is left alone.
    monkeypatch.setattr("synthreal.datasets.meshes.reading.write_cache", lambda *_: None)
