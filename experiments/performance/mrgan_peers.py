"""CycleGAN training without the framework: a plain PyTorch loop, with TLLib's networks and pools or with plain ones."""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from synthreal.networks.image_pool import ImagePool

CYCLE, IDENTITY = 10.0, 1.0
TLLIB = "https://github.com/thuml/Transfer-Learning-Library"
_PACKAGE = "tllib/translation/cyclegan"

Pool = Callable[[Tensor], Tensor]


@dataclass
class Networks:
    """What a CycleGAN is made of; images are -1 to 1.

    Args:
        generators: To real images, to synthetic ones.
        judges: Discriminators of real and of synthetic images.
        pools: What each learns from.
    """

    generators: tuple[nn.Module, nn.Module]
    judges: tuple[nn.Module, nn.Module]
    pools: tuple[Pool, Pool]

    def all(self) -> list[nn.Module]:
        """The four networks."""
        return [*self.generators, *self.judges]


class Block(nn.Module):
    """Residual block with reflected edges.

    Args:
        channels: In and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), nn.BatchNorm2d(channels)]
        self.layers = nn.Sequential(*layers[:3], nn.ReLU(True), *layers[3:])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the input + convolutions."""
        return x + self.layers(x)


def plain_generator() -> nn.Sequential:
    """Returns c7s1-32,d64,d128,R128x9,u64,u32,c7s1-3 with batch norm, as anyone would write it."""

    def normed(convolution: nn.Module, channels: int) -> list[nn.Module]:
        """With norm and ReLU."""
        return [convolution, nn.BatchNorm2d(channels), nn.ReLU(True)]

    return nn.Sequential(
        nn.ReflectionPad2d(3),
        *normed(nn.Conv2d(3, 32, 7, bias=False), 32),
        *normed(nn.Conv2d(32, 64, 3, 2, 1, bias=False), 64),
        *normed(nn.Conv2d(64, 128, 3, 2, 1, bias=False), 128),
        *(Block(128) for _ in range(9)),
        *normed(nn.ConvTranspose2d(128, 64, 3, 2, 1, 1, bias=False), 64),
        *normed(nn.ConvTranspose2d(64, 32, 3, 2, 1, 1, bias=False), 32),
        nn.ReflectionPad2d(3),
        *(nn.Conv2d(32, 3, 7), nn.Tanh()),
    )


def plain_judge(widths: Sequence[int]) -> nn.Sequential:
    """Returns a PatchGAN of so many channels in its layers of stride 2."""
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for inward, outward in pairwise(widths):
        layers += [nn.Conv2d(inward, outward, 4, 2, 1, bias=False), nn.BatchNorm2d(outward), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))


def plain(widths: Sequence[int]) -> Networks:
    """Returns plain networks, with synthreal's pools."""
    generators, judges = (plain_generator(), plain_generator()), (plain_judge(widths), plain_judge(widths))
    return Networks(generators, judges, (ImagePool(50), ImagePool(50)))


def load_tllib(checkout: Path) -> ModuleType:
    """Returns TLLib's package `cyclegan`, by itself: the rest of TLLib asks for much more than torch."""
    folder = checkout / _PACKAGE
    if not (folder / "generator.py").is_file():
        raise SystemExit(f"{folder} is not there. Give --peer a checkout: git clone {TLLIB}")
    package = ModuleType("tllib_cyclegan")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    for name in ("generator", "discriminator", "util"):
        importlib.import_module(f"{package.__name__}.{name}")
    return package


def tllib(package: Any, widths: Sequence[int], own_judges: bool) -> Networks:
    """Returns TLLib's networks and pools.

    Args:
        package: What `load_tllib` returned.
        widths: Channels of the discriminators.
        own_judges: TLLib's discriminators, as deep and wide, whose last layer of `widths` has stride 1; otherwise plain
            ones, for TLLib has none with strides of 2 throughout.
    """
    make, depth = package.generator.resnet_9, len(widths) - 1

    def judge() -> nn.Module:
        """One of either kind."""
        return package.discriminator.patch(widths[0], n_layers=depth) if own_judges else plain_judge(widths)

    pools = [package.util.ImagePool(50).query for _ in range(2)]
    return Networks((make(32), make(32)), (judge(), judge()), (pools[0], pools[1]))


class Loop:
    """Training as CycleGAN's authors, and TLLib, have it: one update of the generators, then one of the discriminators.

    Args:
        networks: What to train.
        real: Images in memory, on the device, -1 to 1; `synthetic` as well.
        batch: Images of each domain in a batch.
        identity: Whether each generator maps an image of its target domain too, which makes six passes of four.
        precision: What autocast computes in; float32 for none.
    """

    def __init__(
        self, networks: Networks, real: Tensor, synthetic: Tensor, batch: int, identity: bool, precision: torch.dtype
    ) -> None:
        self.networks, self.images, self.batch, self.identity = networks, (real, synthetic), batch, identity
        self.autocast = torch.autocast(real.device.type, precision, enabled=precision != torch.float32)
        for network in networks.all():
            network.to(real.device).train()
        self.optimizers = [
            Adam(chain(*(part.parameters() for part in parts)), 2e-4, betas=(0.5, 0.999))
            for parts in (networks.generators, networks.judges)
        ]

    def step(self) -> None:
        """Makes one iteration."""
        real, synthetic = (held[torch.randint(len(held), (self.batch,), device=held.device)] for held in self.images)
        self._train_judges(False)
        with self.autocast:
            loss, made = self._generator_loss(real, synthetic)
        self._update(0, loss)
        self._train_judges(True)
        with self.autocast:
            loss = self._judge_loss((real, synthetic), made)
        self._update(1, loss)

    def _generator_loss(self, real: Tensor, synthetic: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        to_real, to_synthetic = self.networks.generators
        made = to_real(synthetic), to_synthetic(real)
        restored = to_real(made[1]), to_synthetic(made[0])
        loss = CYCLE * (F.l1_loss(restored[0], real) + F.l1_loss(restored[1], synthetic))
        for judge, image in zip(self.networks.judges, made, strict=True):
            loss = loss + _squares(judge(image), 1)
        if self.identity:
            loss = loss + IDENTITY * (F.l1_loss(to_real(real), real) + F.l1_loss(to_synthetic(synthetic), synthetic))
        return loss, made

    def _judge_loss(self, real: tuple[Tensor, Tensor], made: tuple[Tensor, Tensor]) -> Tensor:
        loss = torch.zeros((), device=real[0].device)
        for judge, pool, image, generated in zip(self.networks.judges, self.networks.pools, real, made, strict=True):
            loss = loss + 0.5 * (_squares(judge(image), 1) + _squares(judge(pool(generated.detach())), 0))
        return loss

    def _train_judges(self, on: bool) -> None:
        for judge in self.networks.judges:
            judge.requires_grad_(on)

    def _update(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad()
        loss.backward()
        self.optimizers[which].step()


def _squares(scores: Tensor, label: int) -> Tensor:
    return F.mse_loss(scores, torch.full_like(scores, label))
