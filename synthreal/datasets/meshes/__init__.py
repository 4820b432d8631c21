"""Collections of 3D models: files on disk, or made from seeds, to labelled meshes."""

from synthreal.datasets.meshes.base import LabelledMeshes, MeshCollection
from synthreal.datasets.meshes.folder import MeshFolder
from synthreal.datasets.meshes.procedural import ProceduralMeshes
from synthreal.datasets.meshes.shapenet import ShapeNetV1, ShapeNetV2

__all__ = ["LabelledMeshes", "MeshCollection", "MeshFolder", "ProceduralMeshes", "ShapeNetV1", "ShapeNetV2"]
