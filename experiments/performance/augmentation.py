"""Augment.generate against torchvision image by image, and against kornia on the batch. One thread.

All three start from the same draws and the same uint8 images. torchvision has no scaling of one side, so there it
scales both: the same work. The other images agree, which is checked before anything is timed.
"""

import math
from collections.abc import Callable

import torch
from kornia.geometry.transform import get_affine_matrix2d, warp_affine
from measure import ROOT, Row, alternate, parse_output, report, speed_row
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import affine

from synthreal.batch import Draws, LabelledImages
from synthreal.datasets import MNIST, Digits
from synthreal.generators import Augment

SIZES = (76, 256, 512, 1024)
REPEATS, IMAGES_PER_REPEAT = 15, 4096
CPU = torch.device("cpu")


class Peers:
    """The same augmentation with other libraries.

    Args:
        images: Real images, sorted by class.
    """

    def __init__(self, images: LabelledImages) -> None:
        self.pixels = images.images
        self.count = torch.bincount(images.labels)
        self.first = self.count.cumsum(0) - self.count

    def chosen(self, draws: Draws) -> Tensor:
        """Returns the images to transform, values in [0, 1]."""
        label = draws["parameters"][:, 0].long()
        return self.pixels.index_select(0, self.first[label] + draws["seed"] % self.count[label]).float() / 255

    def kornia(self, draws: Draws) -> Tensor:
        """Returns the batch of images, by one matrix each and one `warp_affine`."""
        image = self.chosen(draws)
        which, value = draws["parameters"][:, 1].long(), draws["parameters"][:, 2]
        angle, tall, wide, down, right, across, along = (value * (which == i) for i in range(7))
        matrix = get_affine_matrix2d(
            translations=torch.stack([right, down], 1),
            center=torch.full((len(value), 2), (image.shape[-1] - 1) / 2),
            scale=torch.stack([1 + wide, 1 + tall], 1),
            angle=-angle,
            sx=-along.atan(),
            sy=-across.atan(),
        )
        warped: Tensor = warp_affine(image, matrix[:, :2], (image.shape[-2], image.shape[-1]), align_corners=True)
        return warped

    def torchvision(self, draws: Draws) -> Tensor:
        """Returns the batch of images, transformed one after another."""
        made = []
        for image, (_, which, value) in zip(self.chosen(draws), draws["parameters"].tolist(), strict=True):
            slant = -math.degrees(math.atan(value))
            made.append(
                affine(
                    image,
                    angle=-value if which == 0 else 0.0,
                    translate=[value if which == 4 else 0.0, value if which == 3 else 0.0],
                    scale=1 + value if which in (1, 2) else 1.0,
                    shear=[slant if which == 6 else 0.0, slant if which == 5 else 0.0],
                    interpolation=InterpolationMode.BILINEAR,
                )
            )
        return torch.stack(made)


def make_draws(augment: Augment, count: int) -> Draws:
    """Returns draws from uniform buckets."""
    generator = torch.Generator().manual_seed(0)
    bucket = torch.randint(augment.space.num_buckets, (count,), generator=generator)
    seed = torch.randint(2**62, (count,), generator=generator)
    return {"bucket": bucket, "parameters": augment.space.sample(bucket, generator), "seed": seed}


def compare(augment: Augment, name: str, peer: Callable[[Draws], Tensor], comparable: Tensor, draws: Draws) -> Row:
    """Times one peer on one set of draws, of which the `comparable` ones must give the same images.

    Raises:
        RuntimeError: If they do not.
    """
    made, theirs = augment.generate(draws, CPU)["image"], peer(draws)
    if float((made - theirs)[comparable].abs().max()) > 1e-4:
        raise RuntimeError(f"{name} does not make the same images.")
    count = len(draws["seed"])
    calls = IMAGES_PER_REPEAT // count
    ours, other = alternate(lambda: augment.generate(draws, CPU), lambda: peer(draws), REPEATS, calls)
    return speed_row("augmentation", f"{count} images, {name}", "images/s", count * calls, ours, other, name, ">= 3")


def main() -> None:
    """Runs all sizes."""
    output = parse_output()
    torch.set_num_threads(1)
    dataset = MNIST(str(ROOT / "data")) if (ROOT / "data/MNIST/raw").is_dir() else Digits(28)
    images = dataset.load("train")
    augment = Augment()
    augment.bind(images)
    peers = Peers(images.select(images.labels.argsort(stable=True)))
    rows = []
    for draws in (make_draws(augment, size) for size in SIZES):
        which = draws["parameters"][:, 1]
        rows.append(compare(augment, "torchvision one by one", peers.torchvision, (which == 3) | (which == 4), draws))
        rows.append(compare(augment, "kornia batched", peers.kornia, which >= 0, draws))
    report(rows, output)


if __name__ == "__main__":
    main()
