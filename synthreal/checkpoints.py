"""Reads what an earlier run saved, without ever unpickling an object."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthreal.errors import ConfigError


def read_checkpoint(path: str | Path, setting: str) -> dict[str, Any]:
    """Returns what a checkpoint holds, on the CPU.

    Args:
        path: A .ckpt file of an earlier run.
        setting: Name of the setting that names the file, for the error.

    Raises:
        ConfigError: If there is none, the file is damaged or something else, or it only loads by unpickling objects.
    """
    if not Path(path).is_file():
        raise ConfigError(f"No checkpoint at {path}: {setting} names a .ckpt file of an earlier run.")
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # what other bytes lead to depends on where they stop making sense
        raise ConfigError(f"{path} is no checkpoint, or one that only loads by unpickling objects.") from error
    return content if isinstance(content, dict) else {}


def weights_of(checkpoint: dict[str, Any], part: str) -> dict[str, Tensor]:
    """Returns the weights of one part of a checkpoint's module, by their names in that part; none if it has no such."""
    weights = checkpoint.get("state_dict") or {}
    prefix = f"{part}."
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
