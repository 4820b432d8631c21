"""Starting weights."""

from torch import nn


def glorot(network: nn.Module) -> None:
    """Sets convolutions and linear layers to Glorot's uniform weights and biases of 0 (Glorot and Bengio 2010)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def gaussian(network: nn.Module) -> None:
    """Sets convolutions to N(0, 0.02²), scales of norms to N(1, 0.02²), biases and shifts to 0 (CycleGAN, MrGAN).

    MrGAN's appendix 6.2 writes a variance of 0.02 and scales around 0, which is read as a slip: CycleGAN, whose
    weights these are, has the standard deviation, and scales around 0 would begin with almost no signal.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
