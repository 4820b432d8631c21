"""Which way a file's axes point."""

import numpy as np
from jaxtyping import Float

from synthreal.errors import ConfigError

_AXES = ("x", "y", "z")


def house_rotation(up: str = "+y", front: str = "+z") -> Float[np.ndarray, "3 3"]:
    """Returns the rotation that takes a file's axes to the house's: up to +z, front to -y.

    Args:
        up: Axis that points up in the file: "+x", "-x", "+y", "-y", "+z" or "-z".
        front: Axis that the object's front faces.

    Raises:
        ConfigError: If they are not two perpendicular axes.
    """
    top, face = _direction("up", up), _direction("front", front)
    if top @ face:
        raise ConfigError(f"up and front must be perpendicular, not {up!r} and {front!r}.")
    return np.stack([np.cross(top, face), -face, top])


def _direction(setting: str, axis: str) -> Float[np.ndarray, " 3"]:
    if len(axis) != 2 or axis[0] not in "+-" or axis[1] not in _AXES:
        raise ConfigError(f"{setting} is one of +x, -x, +y, -y, +z and -z, not {axis!r}.")
    return np.eye(3)[_AXES.index(axis[1])] * (1 if axis[0] == "+" else -1)
