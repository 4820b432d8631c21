"""What lies on disk, or is bundled: labelled images, 3D models, pictures for backgrounds and textures."""

from synthreal.datasets.base import ImageDataset
from synthreal.datasets.digits import Digits
from synthreal.datasets.meshes import MeshCollection, MeshFolder, ProceduralMeshes, ShapeNetV1, ShapeNetV2
from synthreal.datasets.mnist import MNIST
from synthreal.datasets.pictures import Noise, Photos, PictureSource, Scenes

__all__ = [
    "MNIST",
    "Digits",
    "ImageDataset",
    "MeshCollection",
    "MeshFolder",
    "Noise",
    "Photos",
    "PictureSource",
    "ProceduralMeshes",
    "Scenes",
    "ShapeNetV1",
    "ShapeNetV2",
]
