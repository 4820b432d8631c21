"""Networks, as pure `torch.nn` modules."""

from synthreal.networks.alexnet import AlexNet
from synthreal.networks.cyclegan import CycleGenerator, PatchDiscriminator
from synthreal.networks.image_pool import ImagePool
from synthreal.networks.lenet import LeNet
from synthreal.networks.resnet import ResNet

__all__ = ["AlexNet", "CycleGenerator", "ImagePool", "LeNet", "PatchDiscriminator", "ResNet"]
