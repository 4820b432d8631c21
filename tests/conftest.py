"""Shapes of public arrays are checked at run time in every test."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_MODE", "disabled")
# Lightning calls jsonargparse by names that it deprecates.
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

from jaxtyping import install_import_hook

install_import_hook("synthreal", "beartype.beartype").__enter__()

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    """Runs each test in a folder of its own, so that nothing is left in the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
