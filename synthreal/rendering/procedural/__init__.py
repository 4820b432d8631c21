"""Parametric families of meshes, so that everything runs with no download."""

from synthreal.rendering.procedural.families import FAMILIES, procedural_mesh

__all__ = ["FAMILIES", "procedural_mesh"]
