"""What lies on disk, or is bundled: labelled images, 3D models, pictures for backgrounds and textures."""

from synthreal.datasets.base import ImageDataset, Labelled, in_memory
from synthreal.datasets.cifar import Cifar10, Cifar100
from synthreal.datasets.cifar_da import CifarDA
from synthreal.datasets.digits import Digits
from synthreal.datasets.files import LabelledFiles
from synthreal.datasets.folder import ImageFolder
from synthreal.datasets.imagenet import ImageNetSubset
from synthreal.datasets.meshes import (
    MeshCollection,
    MeshFolder,
    MeshPart,
    MeshUnion,
    ProceduralMeshes,
    ShapeNetV1,
    ShapeNetV2,
)
from synthreal.datasets.mnist import MNIST
from synthreal.datasets.part import DatasetPart
from synthreal.datasets.pascal3d import Pascal3D
from synthreal.datasets.pictures import Noise, Photos, PictureSource, Scenes
from synthreal.datasets.places import Places365
from synthreal.datasets.rendered import RenderedFolder
from synthreal.datasets.rendered_pairs import Pairs, RenderedPairs
from synthreal.datasets.sample_photos import SamplePhotos
from synthreal.datasets.visda import VisDA

__all__ = [
    "MNIST",
    "Cifar10",
    "Cifar100",
    "CifarDA",
    "DatasetPart",
    "Digits",
    "ImageDataset",
    "ImageFolder",
    "ImageNetSubset",
    "Labelled",
    "LabelledFiles",
    "MeshCollection",
    "MeshFolder",
    "MeshPart",
    "MeshUnion",
    "Noise",
    "Pairs",
    "Pascal3D",
    "Photos",
    "PictureSource",
    "Places365",
    "ProceduralMeshes",
    "RenderedFolder",
    "RenderedPairs",
    "SamplePhotos",
    "Scenes",
    "ShapeNetV1",
    "ShapeNetV2",
    "VisDA",
    "in_memory",
]
