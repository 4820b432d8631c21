"""Networks, as pure `torch.nn` modules."""

from synthreal.networks.lenet import LeNet

__all__ = ["LeNet"]
