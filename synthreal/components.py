"""Objects from plain settings, so that a checkpoint never has to unpickle one."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TypeVar, get_type_hints

from synthreal.errors import ConfigError

Plain = bool | int | float | str | list[int] | list[float] | list[str] | None
"""What an argument in a config may be."""

T = TypeVar("T")

_NOT_ANNOTATED = ("timm",)  # packages whose functions make networks without saying so


def build(class_path: str, base: type[T], arguments: Mapping[str, Plain], *positional: object) -> T:
    """Makes the object that a config names by a class, or by a function that is annotated to return one.

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

    A function must be annotated with what it returns. A checkpoint names functions too, and calling any that it names
    would be as unsafe as unpickling.

    Raises:
        ConfigError: If there is none, a class there does not derive from `base`, or a function does not say that it
            returns one.
    """
    module, _, name = class_path.rpartition(".")
    try:
        target = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"Nothing at class path {class_path!r} ({error}). Give package.module.Class.") from error
    # Only what is written in Python: others, such as torch.relu, do not say which arguments they take.
    if not (inspect.isfunction(target) or (isinstance(target, type) and issubclass(target, base))):
        raise ConfigError(f"{class_path!r} is not a subclass of {_name(base)}, nor a function.")
    if isinstance(target, FunctionType) and not _says_it_returns(target, base):
        raise ConfigError(f"{class_path!r} does not say that it returns a {_name(base)}: annotate it.")
    return target


def accepts(class_path: str, base: type[T], argument: str) -> bool:
    """Says whether what is at a dotted path takes a keyword argument of this name, by name or as one of `**kwargs`."""
    parameters = inspect.signature(resolve(class_path, base)).parameters
    return argument in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _says_it_returns(function: FunctionType, base: type) -> bool:
    if function.__module__.partition(".")[0] in _NOT_ANNOTATED:
        return True
    try:
        returned = get_type_hints(function).get("return")
    except Exception:  # names that are imported for type checkers only
        return False
    return isinstance(returned, type) and issubclass(returned, base)


def _name(base: type) -> str:
    return f"{base.__module__}.{base.__name__}"
