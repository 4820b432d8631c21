"""Meshes made from a seed: no download, and no two of a family alike."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from synthreal.errors import ConfigError
from synthreal.rendering.mesh import Material, Mesh, in_unit_box
from synthreal.rendering.procedural.airplane import airplane
from synthreal.rendering.procedural.automobile import automobile
from synthreal.rendering.procedural.bicycle import bicycle
from synthreal.rendering.procedural.chair import chair
from synthreal.rendering.procedural.cup import cup
from synthreal.rendering.procedural.ship import ship
from synthreal.rendering.procedural.table import table
from synthreal.rendering.procedural.truck import truck

FAMILIES: dict[str, Callable[[np.random.Generator], Mesh]] = {
    "airplane": airplane,
    "automobile": automobile,
    "bicycle": bicycle,
    "chair": chair,
    "cup": cup,
    "ship": ship,
    "table": table,
    "truck": truck,
}


def procedural_mesh(family: str, seed: int) -> Mesh:
    """Returns one member of a family, in the unit box, named `{family}_{seed}`; the same for the same seed.

    Raises:
        ConfigError: If there is no such family, or the seed is negative.
    """
    if family not in FAMILIES:
        raise ConfigError(f"There is no procedural family {family!r}; there are: {', '.join(FAMILIES)}.")
    if seed < 0:
        raise ConfigError(f"A seed is 0 or more, not {seed}.")
    rng = np.random.Generator(np.random.Philox(seed))
    return in_unit_box(_shared_materials(replace(FAMILIES[family](rng), name=f"{family}_{seed}")))


def _shared_materials(mesh: Mesh) -> Mesh:
    """The same mesh, each material once: parts of one surface hold the same object."""
    distinct: dict[int, Material] = {id(surface): surface for surface in mesh.materials}
    row = {key: i for i, key in enumerate(distinct)}
    renumber = np.array([row[id(surface)] for surface in mesh.materials], np.int32)
    return replace(mesh, material=renumber[mesh.material], materials=tuple(distinct.values()))
