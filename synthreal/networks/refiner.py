"""The generators of stacked CycleGANs, and which images each stage maps (MrGAN paper, sec. 4.2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from jaxtyping import Float
from torch import Tensor, nn

from synthreal.checkpoints import read_checkpoint, weights_of
from synthreal.errors import ConfigError
from synthreal.networks.cyclegan import CycleGenerator, Norm

Mapping = Literal["r-s", "rr-rs", "r-rs", "rr-s"]
"""What a stage maps between: real (r) or refined real (rr) images, and synthetic (s) or refined synthetic (rs) ones."""

_SETTINGS = ("stages", "generator", "in_channels", "norm")  # as MrGAN names them, too


class Stage(nn.Module):
    """The two generators of one CycleGAN.

    Args:
        generator: Their layers, in CycleGAN's notation.
        in_channels: Channels of the images.
        norm: Normalisation after each layer.
    """

    def __init__(self, generator: str, in_channels: int, norm: Norm) -> None:
        super().__init__()
        self.to_real = CycleGenerator(generator, in_channels, norm)
        self.to_synthetic = CycleGenerator(generator, in_channels, norm)


class Refiner(nn.Module):
    """N CycleGANs one after the other: each maps what the one before has refined, or left as it was.

    Args:
        stages: What each stage maps; the first `r-s`, later ones `rr-rs`, `r-rs` or `rr-s`.
        generator: Layers of every generator, in CycleGAN's notation (appendix 6.1).
        in_channels: Channels of the images.
        norm: Normalisation after each layer.

    Raises:
        ConfigError: If the first stage is not `r-s`, or a later one is.
    """

    def __init__(
        self,
        stages: Sequence[Mapping],
        generator: str = "c7s1-32,d64,d128,R128x9,u64,u32,c7s1-3",
        in_channels: int = 3,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        if not stages or stages[0] != "r-s":
            raise ConfigError(
                f"stages is {list(stages)}, but only a first stage 'r-s' maps real and synthetic images as they are; "
                "later ones refine what it made: begin with 'r-s'."
            )
        unknown = [name for name in stages[1:] if name not in ("rr-rs", "r-rs", "rr-s")]
        if unknown:
            raise ConfigError(f"After its first, a stage is 'rr-rs', 'r-rs' or 'rr-s', not {unknown}.")
        self.mappings, self.in_channels = list(stages), in_channels
        self.stages = nn.ModuleList(Stage(generator, in_channels, norm) for _ in stages)

    def stage(self, number: int) -> Stage:
        """Returns the generators of a stage, from 0."""
        return cast(Stage, self.stages[number])

    def refine_synthetic(self, image: Float[Tensor, "n c h w"], stages: int | None = None) -> Float[Tensor, "n c h w"]:
        """Returns synthetic images in [0, 1] made more real by the first `stages` stages; None for all."""
        count = self._checked(stages)
        return self.stage(count - 1).to_real(self.synthetic_side(image, count - 1)) if count else image

    def refine_real(self, image: Float[Tensor, "n c h w"], stages: int | None = None) -> Float[Tensor, "n c h w"]:
        """Returns real images in [0, 1] made more synthetic by the first `stages` stages; None for all."""
        count = self._checked(stages)
        return self.stage(count - 1).to_synthetic(self.real_side(image, count - 1)) if count else image

    def real_side(self, image: Float[Tensor, "n c h w"], stage: int) -> Float[Tensor, "n c h w"]:
        """Returns what a stage (from 0) maps real images from: as they are, or refined by the stages before.

        Raises:
            ConfigError: If they have another number of channels than the networks.
        """
        self._check_channels(image)
        return self.refine_real(image, stage) if self.mappings[stage].startswith("rr") else image

    def synthetic_side(self, image: Float[Tensor, "n c h w"], stage: int) -> Float[Tensor, "n c h w"]:
        """Returns what a stage (from 0) maps synthetic images from: as they are, or refined by the stages before.

        Raises:
            ConfigError: If they have another number of channels than the networks.
        """
        self._check_channels(image)
        return self.refine_synthetic(image, stage) if self.mappings[stage].endswith("rs") else image

    def _check_channels(self, image: Float[Tensor, "n c h w"]) -> None:
        if image.shape[1] != self.in_channels:
            raise ConfigError(
                f"The images have {image.shape[1]} channels, and the MrGAN's in_channels is {self.in_channels}: "
                "give both the same."
            )

    def _checked(self, stages: int | None) -> int:
        if stages is None:
            return len(self.stages)
        if not 0 <= stages <= len(self.stages):
            raise ConfigError(f"There are {len(self.stages)} stages; {stages} of them cannot be applied.")
        return stages


def load_refiner(path: str | Path, setting: str = "checkpoint") -> tuple[Refiner, int]:
    """Returns an MrGAN's generators, fixed, in evaluation mode, on the CPU, and how many of its stages are trained.

    Args:
        path: Its checkpoint.
        setting: Name of the setting that names the file, for errors.

    Raises:
        ConfigError: If there is no such checkpoint, it is not one of an MrGAN, or it does not say what is trained.
    """
    checkpoint = read_checkpoint(path, setting)
    settings, weights = checkpoint.get("hyper_parameters", {}), weights_of(checkpoint, "refiner")
    if not weights or any(name not in settings for name in _SETTINGS):
        raise ConfigError(f"{path} is no checkpoint of an MrGAN: it holds no stages of generators.")
    if "finished_stages" not in checkpoint:
        raise ConfigError(
            f"{path} does not say how many of its stages are trained: it is of an earlier version. Train again, or, if "
            "training had ended, write that number into it as finished_stages."
        )
    refiner = Refiner(*(settings[name] for name in _SETTINGS))
    refiner.load_state_dict(weights)
    return refiner.eval().requires_grad_(False), checkpoint["finished_stages"]


def take_over(refiner: Refiner, path: str | Path) -> int:
    """Copies the stages of a trained MrGAN into the first stages of another, and returns how many there are.

    Raises:
        ConfigError: If there is no such checkpoint, its stages do not come first in the other or are not all trained,
            or its networks differ.
    """
    earlier, finished = load_refiner(path, "pretrained")
    count = len(earlier.mappings)
    if earlier.mappings != refiner.mappings[:count] or count == len(refiner.mappings):
        raise ConfigError(f"{path} has the stages {earlier.mappings}; {refiner.mappings} does not go on from there.")
    if finished < count:
        raise ConfigError(f"{path}: {finished} of {count} stages are trained; train on before they are taken over.")
    try:
        refiner.stages[:count].load_state_dict(earlier.stages.state_dict())
    except RuntimeError as error:
        raise ConfigError(f"{path} has generators of other layers: give both the same ones. {error}") from error
    return count
