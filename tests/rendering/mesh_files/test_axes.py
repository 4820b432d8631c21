import numpy as np
import pytest

from synthreal.errors import ConfigError
from synthreal.rendering.mesh_files import house_rotation

AXES = {sign + axis: (1 if sign == "+" else -1) * np.eye(3)["xyz".index(axis)] for sign in "+-" for axis in "xyz"}


@pytest.mark.parametrize("up", AXES)
@pytest.mark.parametrize("front", AXES)
def test_up_goes_to_z_and_front_to_minus_y(up, front):
    if up[1] == front[1]:
        with pytest.raises(ConfigError, match="perpendicular"):
            house_rotation(up, front)
        return
    turn = house_rotation(up, front)
    np.testing.assert_array_equal(turn @ AXES[up], [0, 0, 1])
    np.testing.assert_array_equal(turn @ AXES[front], [0, -1, 0])
    assert np.linalg.det(turn) == pytest.approx(1)  # no mirror


@pytest.mark.parametrize("axis", ["y", "+w", "", "++y", "up"])
def test_what_is_no_axis_is_named(axis):
    with pytest.raises(ConfigError, match="front is one of"):
        house_rotation("+z", axis)
