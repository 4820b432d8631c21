"""Objects from plain settings, so that a checkpoint never has to unpickle one."""

import importlib
import inspect
from collections.abc import Mapping
from typing import TypeVar

from synthreal.errors import ConfigError

Plain = bool | int | float | str | list[int] | list[float] | list[str] | None
"""What an argument in a config may be."""

T = TypeVar("T")


def build(class_path: str, base: type[T], arguments: Mapping[str, Plain], *positional: object) -> T:
    """Instantiates a class that a config names.

    Args:
        class_path: Dotted path, for example `torch.optim.SGD`.
        base: Class that it must derive from.
        arguments: Keyword arguments, plain values.
        positional: Positional arguments that the caller supplies.

    Raises:
        ConfigError: If the path names no such class, or an argument is unknown or missing.
    """
    target = resolve(class_path, base)
    signature = inspect.signature(target)
    try:
        signature.bind(*positional, **arguments)
    except TypeError as error:
        accepted = list(signature.parameters)[len(positional) :]
        raise ConfigError(f"{class_path}: {error}. It takes: {', '.join(accepted)}.") from error
    return target(*positional, **arguments)


def resolve(class_path: str, base: type[T]) -> type[T]:
    """Returns the class at a dotted path.

    Raises:
        ConfigError: If there is none, or it does not derive from `base`.
    """
    module, _, name = class_path.rpartition(".")
    try:
        target = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"Nothing at class path {class_path!r} ({error}). Give package.module.Class.") from error
    if not (isinstance(target, type) and issubclass(target, base)):
        raise ConfigError(f"{class_path!r} is not a subclass of {base.__module__}.{base.__name__}.")
    return target


def accepts(class_path: str, base: type[T], argument: str) -> bool:
    """Says whether the class at a dotted path takes a keyword argument of this name."""
    return argument in inspect.signature(resolve(class_path, base)).parameters
