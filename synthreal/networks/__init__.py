"""Networks, as pure `torch.nn` modules."""

from synthreal.networks.alexnet import AlexNet
from synthreal.networks.cyclegan import CycleGenerator, PatchDiscriminator
from synthreal.networks.image_pool import ImagePool
from synthreal.networks.lenet import LeNet
from synthreal.networks.pixel_coders import FCN, DeconvNet
from synthreal.networks.reconstruction import Reconstruction, Reconstructor
from synthreal.networks.resnet import ResNet
from synthreal.networks.squeezenet import SqueezeNet
from synthreal.networks.variational_coder import VariationalCoder
from synthreal.networks.zigzag import ZigzagNet

__all__ = [
    "FCN",
    "AlexNet",
    "CycleGenerator",
    "DeconvNet",
    "ImagePool",
    "LeNet",
    "PatchDiscriminator",
    "Reconstruction",
    "Reconstructor",
    "ResNet",
    "SqueezeNet",
    "VariationalCoder",
    "ZigzagNet",
]
