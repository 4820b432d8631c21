"""Collections of 3D models: files on disk, or made from seeds, to labelled meshes."""

from synthreal.datasets.meshes.base import LabelledMeshes, MeshCollection
from synthreal.datasets.meshes.folder import MeshFolder
from synthreal.datasets.meshes.parts import MeshPart
from synthreal.datasets.meshes.procedural import ProceduralMeshes
from synthreal.datasets.meshes.shapenet import ShapeNetV1, ShapeNetV2
from synthreal.datasets.meshes.union import MeshUnion

__all__ = [
    "LabelledMeshes",
    "MeshCollection",
    "MeshFolder",
    "MeshPart",
    "MeshUnion",
    "ProceduralMeshes",
    "ShapeNetV1",
    "ShapeNetV2",
]
