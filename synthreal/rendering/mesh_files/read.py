"""One file to one mesh."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from trimesh.exchange.load import mesh_loaders
from trimesh.scene.transforms import SceneGraph

from synthreal.errors import MeshError
from synthreal.rendering.mesh import Mesh, build_mesh, in_unit_box
from synthreal.rendering.mesh_files.axes import house_rotation
from synthreal.rendering.mesh_files.checks import check_file
from synthreal.rendering.mesh_files.parts import Part, read_part
from synthreal.rendering.mesh_files.polygons import check_polygons
from synthreal.rendering.mesh_files.quiet import Beside, swallowed
from synthreal.rendering.mesh_files.surfaces import Surfaces

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".off")


@dataclass(frozen=True)
class ReadMesh:
    """A mesh from a file.

    Args:
        mesh: In the unit box, z up, front to -y.
        remarks: What the file has or names but the mesh lacks, for example a missing texture.
    """

    mesh: Mesh
    remarks: tuple[str, ...]


def read_mesh(path: Path, up: str = "+y", front: str = "+z", texture_size: int | None = None) -> ReadMesh:
    """Reads a GLB, glTF, OBJ, PLY or OFF file: all its parts at their places, with the colours a viewer shows.

    Args:
        path: The file. What it names (MTL, images, buffers) is looked for beside it and one folder above.
        up: Axis that points up in the file, "+x" to "-z".
        front: Axis that the object's front faces.
        texture_size: Longer side of a texture at most, texels; None keeps all.

    Raises:
        MeshError: If it cannot be read, has no triangle with an area, or its numbers make no sense.
        ConfigError: If `up` and `front` are not two perpendicular axes.
    """
    house = house_rotation(up, front)
    if path.suffix.lower() not in SUFFIXES:
        raise MeshError(f"{path}: not a {', '.join(SUFFIXES)} file.")
    remarks: list[str] = []
    try:
        with swallowed(remarks), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numbers that overflow and text that ends early: checked later
            mesh = _read(path, house, remarks, texture_size)
    except MeshError as error:
        raise MeshError(f"{path}: {error}") from error
    except Exception as error:  # trimesh raises nearly anything on a broken file
        raise MeshError(f"{path}: {type(error).__name__}: {error}") from error
    return ReadMesh(mesh, tuple(dict.fromkeys(remarks)))


def _read(path: Path, house: Float[np.ndarray, "3 3"], remarks: list[str], texture_size: int | None) -> Mesh:
    remarks.extend(check_file(path))
    kind = path.suffix.lower()[1:]
    with path.open("rb") as file:
        loaded = mesh_loaders[kind](file_obj=file, file_type=kind, resolver=Beside(str(path)))
    remarks.extend(check_polygons(path, loaded))
    surfaces = Surfaces(remarks, texture_size)
    parts = []
    for geometry, transform in _placed(loaded):
        if "faces" not in geometry:
            remarks.append("points or lines are left out")
            continue
        transform[:3] = house @ transform[:3]
        part = read_part(geometry, transform, surfaces, linear=kind in ("glb", "gltf"))
        parts += [part] if len(part.faces) else []
    if not parts:
        raise MeshError("; ".join(["no triangle with an area", *dict.fromkeys(remarks)]) + ".")
    return in_unit_box(_joined(path.stem, parts))


def _placed(loaded: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Float[np.ndarray, "4 4"]]]:
    """Each geometry as often as the file's scene places it; never merged by trimesh, which would drop materials."""
    if "geometry" not in loaded:
        yield loaded, np.eye(4)
        return
    graph = SceneGraph(base_frame=loaded.get("base_frame") or "world")
    for edge in loaded.get("graph", ()):
        graph.update(**edge)
    for node in graph.nodes_geometry:
        transform, name = graph[node]
        if name in loaded["geometry"]:
            yield loaded["geometry"][name], np.array(transform, float)


def _joined(name: str, parts: list[Part]) -> Mesh:
    low = np.min([part.vertices.min(0) for part in parts], axis=0)
    high = np.max([part.vertices.max(0) for part in parts], axis=0)
    size = float((high - low).max())
    if not 0 < size < np.inf:
        raise MeshError(f"its size is {size}.")
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    surfaces = {id(part.surface): part.surface for part in parts}
    number = {key: i for i, key in enumerate(surfaces)}
    return build_mesh(
        name,
        vertices=(np.concatenate([part.vertices for part in parts]) - low) / size,
        faces=np.concatenate([part.faces + start for part, start in zip(parts, first, strict=False)]),
        materials=tuple(surfaces.values()),
        normals=np.concatenate([part.normals for part in parts]),
        uv=np.concatenate([part.uv for part in parts]),
        colours=np.concatenate([part.colours for part in parts]),
        material=np.concatenate([np.full(len(part.faces), number[id(part.surface)]) for part in parts]),
    )
