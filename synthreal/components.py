"""Objects from plain settings, so that a checkpoint never has to unpickle one."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TypeVar

from synthreal.errors import ConfigError

Plain = bool | int | float | str | list[int] | list[float] | list[str] | None
"""What an argument in a config may be."""

T = TypeVar("T")


def build(class_path: str, base: type[T], arguments: Mapping[str, Plain], *positional: object) -> T:
    """Makes the object that a config names by a class, or by a function that returns it.

    Args:
        class_path: Dotted path, for example `torch.optim.SGD` or `timm.create_model`.
        base: What the object must be an instance of.
        arguments: Keyword arguments, plain values.
        positional: Positional arguments that the caller supplies.

    Raises:
        ConfigError: If the path names no such thing, an argument is unknown or missing, or a function returns something
            else.
    """
    target = resolve(class_path, base)
    signature = inspect.signature(target)
    try:
        signature.bind(*positional, **arguments)
    except TypeError as error:
        accepted = list(signature.parameters)[len(positional) :]
        raise ConfigError(f"{class_path}: {error}. It takes: {', '.join(accepted)}.") from error
    made = target(*positional, **arguments)
    if not isinstance(made, base):
        raise ConfigError(f"{class_path} returned a {type(made).__name__}, not a {_name(base)}.")
    return made


def resolve(class_path: str, base: type[T]) -> Callable[..., T]:
    """Returns the class or the function at a dotted path.

    Raises:
        ConfigError: If there is none, or a class there does not derive from `base`.
    """
    module, _, name = class_path.rpartition(".")
    try:
        target = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"Nothing at class path {class_path!r} ({error}). Give package.module.Class.") from error
    # Only what is written in Python: others, such as torch.relu, do not say which arguments they take.
    if not (inspect.isfunction(target) or (isinstance(target, type) and issubclass(target, base))):
        raise ConfigError(f"{class_path!r} is not a subclass of {_name(base)}, nor a function.")
    return target


def accepts(class_path: str, base: type[T], argument: str) -> bool:
    """Says whether what is at a dotted path takes a keyword argument of this name, by name or as one of `**kwargs`."""
    parameters = inspect.signature(resolve(class_path, base)).parameters
    return argument in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _name(base: type) -> str:
    return f"{base.__module__}.{base.__name__}"
