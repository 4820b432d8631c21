"""Weights that training starts from."""

from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from synthreal.checkpoints import read_checkpoint, weights_of
from synthreal.errors import ConfigError

_NETWORK = "network"  # where a Classifier and a GMCML have it
_MOST_KEYS = 5


def load_pretrained(network: nn.Module, path: str | Path) -> None:
    """Copies the weights of an earlier run's network into this one.

    The last layer keeps its own if its shape differs, for there may be other classes. Neither optimiser nor
    schedule is taken over.

    Args:
        network: Network of the same architecture.
        path: Checkpoint of a `Classifier` or of a `GMCML`.

    Raises:
        ConfigError: If there is no such checkpoint, or it holds another network.
    """
    saved, own = _network_of(Path(path)), network.state_dict()
    head = _layer(list(dict(network.named_parameters()))[-1])
    if any(_layer(key) == head and saved[key].shape != own[key].shape for key in saved.keys() & own.keys()):
        rank_zero_info(f"{path}: its last layer {head!r} has another shape, so training starts with a new one.")
        saved |= {key: value for key, value in own.items() if _layer(key) == head}
    _check_keys(path, saved, own)
    network.load_state_dict(saved)


def _network_of(path: Path) -> dict[str, Tensor]:
    found = weights_of(read_checkpoint(path, "pretrained"), _NETWORK)
    if not found:
        raise ConfigError(f"{path} is no checkpoint of a Classifier or GMCML: it holds no weights named {_NETWORK}.….")
    return found


def _layer(key: str) -> str:
    return key.rpartition(".")[0]


def _check_keys(path: str | Path, saved: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    faults = {
        "missing": [key for key in own if key not in saved],
        "unknown": [key for key in saved if key not in own],
        "of another shape": [key for key in own if key in saved and saved[key].shape != own[key].shape],
    }
    text = "; ".join(f"{name}: {_listed(keys)}" for name, keys in faults.items() if keys)
    if text:
        raise ConfigError(f"{path} holds the weights of another network. {text}. Take the network of that run.")


def _listed(keys: list[str]) -> str:
    more = len(keys) - _MOST_KEYS
    return ", ".join(keys[:_MOST_KEYS]) + (f" and {more} more" if more > 0 else "")
