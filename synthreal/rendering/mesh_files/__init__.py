"""One mesh file on disk to a mesh: GLB, glTF, OBJ, PLY and OFF, through trimesh."""

from synthreal.rendering.mesh_files.axes import house_rotation
from synthreal.rendering.mesh_files.read import SUFFIXES, ReadMesh, read_mesh

__all__ = ["SUFFIXES", "ReadMesh", "house_rotation", "read_mesh"]
