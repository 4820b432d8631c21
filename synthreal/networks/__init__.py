"""Networks, as pure `torch.nn` modules."""

from synthreal.networks.alexnet import AlexNet
from synthreal.networks.lenet import LeNet
from synthreal.networks.resnet import ResNet

__all__ = ["AlexNet", "LeNet", "ResNet"]
