"""Meshes to images: cameras, lights, meshes and the rasteriser."""
