"""What a set of draws makes, in short: so that two data sets can be told apart without keeping them."""

import hashlib

import torch

from synthreal.batch import Draws, select_draws
from synthreal.generators.base import ImageGenerator

_IMAGES = 32


def fingerprint(generator: ImageGenerator, draws: Draws) -> dict[str, str]:
    """Returns the SHA-256 of all draws, and of 32 images spread over the set, in 8 bits, made on the CPU."""
    parameters = hashlib.sha256(repr((generator.space.columns, generator.classes)).encode())
    for table in (draws["bucket"], draws["parameters"], draws["seed"]):
        parameters.update(table.contiguous().numpy().data)
    count = len(draws["bucket"])
    few = torch.linspace(0, count - 1, min(count, _IMAGES)).long()
    image = generator.generate(select_draws(draws, few), torch.device("cpu"))["image"].mul(255).round().byte()
    pixels = hashlib.sha256(repr(tuple(image.shape)).encode())
    pixels.update(image.contiguous().numpy().data)
    return {"draws": parameters.hexdigest(), "images": pixels.hexdigest()}


def digest(generator: ImageGenerator, draws: Draws) -> str:
    """Returns one SHA-256 of both: the few images do not tell of a draw that is none of theirs."""
    return hashlib.sha256("".join(fingerprint(generator, draws).values()).encode()).hexdigest()
