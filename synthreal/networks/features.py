"""The descriptor of an image: what a network's last linear layer is given."""

from jaxtyping import Float
from torch import Tensor, nn

from synthreal.errors import ConfigError

_KEPT = "kept_inputs"  # a plain attribute of the layer, during with_features alone


def last_linear(network: nn.Module) -> tuple[str, nn.Linear]:
    """Returns name and layer of the last `nn.Linear`, in the order in which the network registers its modules.

    Raises:
        ConfigError: If it has none.
    """
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not layers:
        raise ConfigError(
            f"{type(network).__name__} has no linear layer, whose input would describe an image: take another network."
        )
    return layers[-1]


def expose_features(network: nn.Module) -> nn.Linear:
    """Readies a network for `with_features`, which else does so itself, and returns its last linear layer.

    The layer gets a hook for good, which keeps nothing outside `with_features`. A network that is to be compiled needs
    it before its first call, for compiled code does not see hooks that come later. Names of weights stay as they are.

    Raises:
        ConfigError: If it has no linear layer.
    """
    _, layer = last_linear(network)
    if _keep_input not in layer._forward_pre_hooks.values():
        layer.register_forward_pre_hook(_keep_input)
    return layer


def with_features(
    network: nn.Module, image: Float[Tensor, "b c h w"]
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b d"]]:
    """Returns a network's logits and its features, the input of its last linear layer, from one forward pass.

    Raises:
        ConfigError: If it has no linear layer, or does not call the last one.
    """
    layer = expose_features(network)
    kept: list[Tensor] = []
    setattr(layer, _KEPT, kept)
    try:
        logits = network(image)
    finally:
        delattr(layer, _KEPT)
    if not kept:
        raise ConfigError(
            f"{type(network).__name__} does not call its last linear layer {last_linear(network)[0]!r}, so there are "
            "no features. If it was compiled, call expose_features before its first pass."
        )
    return logits, kept[-1].flatten(1)


def _keep_input(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    kept: list[Tensor] | None = getattr(layer, _KEPT, None)
    if kept is not None:
        kept.extend(inputs)
