"""Starting weights."""

from torch import nn


def glorot(network: nn.Module) -> None:
    """Sets convolutions and linear layers to Glorot's uniform weights and biases of 0 (Glorot and Bengio 2010)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
