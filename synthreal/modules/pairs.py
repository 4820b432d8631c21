"""Real and synthetic images side by side, what a stage makes of them, and who tells it from them."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from synthreal.batch import Batch, Domain
from synthreal.errors import ConfigError
from synthreal.losses.adversarial import cycle_loss, discriminator_loss, generator_loss
from synthreal.networks.cyclegan import Norm, PatchDiscriminator
from synthreal.networks.image_pool import ImagePool
from synthreal.networks.refiner import Stage


class Pair(NamedTuple):
    """Images of both domains, [B, C, H, W] in [0, 1] each."""

    real: Tensor
    synthetic: Tensor


def pair_of(batch: Batch) -> Pair:
    """Returns the real and the synthetic half of a batch."""
    return Pair(*batch["image"].chunk(2))


def check_pairs(batch: Batch) -> None:
    """Checks a batch before it is trained on; waits for the device.

    Raises:
        ConfigError: If it is not real images first and as many synthetic ones of the same classes.
    """
    domain, label = batch["domain"], batch["label"]
    half = len(label) // 2
    real, synthetic = domain[:half] == Domain.REAL, domain[half:] == Domain.SYNTHETIC
    if len(label) % 2 or not (real.all() and synthetic.all() and (label[:half] == label[half:]).all()):
        raise ConfigError(
            "An MrGAN takes real images and as many synthetic ones of the same classes, in that order: "
            "give it an UnpairedDataModule."
        )


class Judges(nn.Module):
    """The two discriminators of a stage, and the pools of generated images that they learn from.

    Args:
        layers: Layers of each discriminator, in CycleGAN's notation.
        in_channels: Channels of the images.
        norm: Normalisation after each layer but the first.
        pool_size: Images in each pool.
    """

    def __init__(self, layers: str, in_channels: int, norm: Norm, pool_size: int) -> None:
        super().__init__()
        self.real = PatchDiscriminator(layers, in_channels, norm)
        self.synthetic = PatchDiscriminator(layers, in_channels, norm)
        self.real_pool, self.synthetic_pool = ImagePool(pool_size), ImagePool(pool_size)

    def loss(self, sides: Pair, made: Pair, flip_probability: float) -> Float[Tensor, ""]:
        """Returns the sum of both discriminators' losses (appendix 6.2).

        Args:
            sides: Images as they are in each domain.
            made: Generated images of each domain; no gradient flows back to them.
            flip_probability: Share of the labels that are flipped.
        """
        real, synthetic = self.real_pool(made.real.detach()), self.synthetic_pool(made.synthetic.detach())
        return discriminator_loss(self.real(sides.real), self.real(real), flip_probability) + discriminator_loss(
            self.synthetic(sides.synthetic), self.synthetic(synthetic), flip_probability
        )


def translate(generators: Stage, sides: Pair) -> Pair:
    """Returns the images of each domain that a stage makes of those of the other."""
    return Pair(real=generators.to_real(sides.synthetic), synthetic=generators.to_synthetic(sides.real))


def translation_losses(generators: Stage, judges: Judges, sides: Pair, made: Pair) -> dict[str, Float[Tensor, ""]]:
    """Returns what the generators are to lower, both domains added up, unweighted (sec. 4.1).

    `generator`: how surely the discriminators tell what was made; `cycle`: how far images are from where they began
    once they are mapped there and back.

    Args:
        generators: Of a stage.
        judges: Its discriminators.
        sides: Images as they are in each domain.
        made: What the generators make of them, see `translate`.
    """
    restored = translate(generators, made)
    return {
        "generator": generator_loss(judges.real(made.real)) + generator_loss(judges.synthetic(made.synthetic)),
        "cycle": cycle_loss(sides.real, restored.real) + cycle_loss(sides.synthetic, restored.synthetic),
    }
