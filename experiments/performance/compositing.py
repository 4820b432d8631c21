"""CutPaste's merge, a batch at a time, against PIL sample by sample. One thread.

Both start from the same cut-outs, backgrounds and draws, and end with a batch of images, masks and boxes. That the
pictures agree is checked before anything is timed.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from knots import knots, random_views
from measure import Row, parse_output, report, speed_row
from PIL import Image
from torch import Tensor
from turns import cpu_turns

from synthreal.batch import Batch, Draws, synthetic_batch
from synthreal.datasets import Noise
from synthreal.generators import CutPaste, ImageGenerator
from synthreal.generators.randomness import uniforms
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.samplers import even_draws
from synthreal.spaces import Categorical

SIZES = (64, 128, 224)
IMAGES, REPEATS = 64, 7
CPU = torch.device("cpu")
_CROP = 10  # CutPaste's random numbers for the part of a background


class Cutouts(ImageGenerator):
    """Hands out the same rendered knots each time, so that only the merge is measured.

    Args:
        rgba: Premultiplied.
    """

    def __init__(self, rgba: Float[Tensor, "b 4 h w"]) -> None:
        self.rgba, self.num_classes = rgba, 1
        self.space = Categorical("class", ["knot"])

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`."""
        batch = synthetic_batch(self.rgba[:, :3], draws["parameters"][:, 0].long(), draws)
        batch["mask"] = self.rgba[:, 3:]
        return batch


class PaperMerge:
    """The benchmark's merge (sec. 5.1) with PIL: turn, shrink, cut a background, paste.

    Args:
        cut_paste: Whose cut-outs and backgrounds to use.
        rgba: The cut-outs.
        draws: What to make of them.
    """

    def __init__(self, cut_paste: CutPaste, rgba: Float[Tensor, "b 4 h w"], draws: Draws) -> None:
        straight = torch.cat([rgba[:, :3] / rgba[:, 3:].clamp(min=1e-6), rgba[:, 3:]], 1)
        self.size, self.cutouts = cut_paste.image_size, [Image.fromarray(picture) for picture in _bytes(straight)]
        pictures = cut_paste.background.load(cut_paste.foreground.classes)
        columns = dict(zip(cut_paste.space.columns, draws["parameters"].unbind(1), strict=True))
        index = pictures.by_class.choose(columns["class"].long(), columns["background"])
        self.backgrounds = [Image.fromarray(pictures.images[i].permute(1, 2, 0).numpy()) for i in index.tolist()]
        self.paste = torch.stack([columns[name] for name in ("angle", "scale", "right", "down")], 1).tolist()
        self.crop = uniforms(draws["seed"], _CROP, 4).tolist()
        self.smallest = cut_paste.smallest_crop

    def generate(self) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 1 h w"], Float[Tensor, "b 4"]]:
        """Returns images, masks and boxes."""
        rows = zip(self.cutouts, self.paste, self.backgrounds, self.crop, strict=True)
        images, masks = zip(*(self._merged(*row) for row in rows), strict=True)
        boxes = torch.tensor([mask.getbbox() for mask in masks], dtype=torch.float32)
        return _floats(images).permute(0, 3, 1, 2).contiguous(), _floats(masks)[:, None], boxes

    def _merged(
        self, cutout: Image.Image, paste: list[float], background: Image.Image, crop: list[float]
    ) -> tuple[Image.Image, Image.Image]:
        angle, scale, right, down = paste
        turned = cutout.rotate(angle, Image.Resampling.BILINEAR, expand=True)
        side = round(scale * self.size)
        shrunk = turned.resize((side, side), Image.Resampling.BILINEAR)
        image, mask = self._cut(background, crop), Image.new("L", (self.size, self.size))
        place = (round(right * (self.size - side)), round(down * (self.size - side)))
        image.paste(shrunk, place, shrunk)
        mask.paste(shrunk.getchannel("A"), place)
        return image, mask

    def _cut(self, background: Image.Image, crop: list[float]) -> Image.Image:
        side = (self.smallest + (1 - self.smallest) * crop[0]) * background.width
        left, top = (place * (background.width - side) for place in crop[1:3])
        box = (left, top, left + side, top + side)
        part = background.resize((self.size, self.size), Image.Resampling.BILINEAR, box)
        return part if crop[3] < 0.5 else part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def compare(image_size: int, object_size: int) -> Row:
    """Times both at one size of the result and one of the objects.

    Raises:
        RuntimeError: If they do not make the same images.
    """
    rgba = Rasteriser(pack_meshes(knots()), object_size).render(random_views(torch.arange(IMAGES) % 3))["rgba"]
    cut_paste = CutPaste(Cutouts(rgba), Noise(side=128), image_size)
    draws = even_draws(cut_paste.space, IMAGES, [0])
    peer = PaperMerge(cut_paste, rgba, draws)
    made = cut_paste.generate(draws, CPU)
    for name, theirs in zip(("image", "mask"), peer.generate(), strict=False):
        difference = float((made[name] - theirs).abs().mean())  # type: ignore[literal-required]
        if difference > 0.02:
            raise RuntimeError(f"PIL makes another {name}: they differ by {difference:.3f}.")
    seconds = cpu_turns({"ours": lambda: cut_paste.generate(draws, CPU), "PIL": peer.generate}, REPEATS)
    case = f"{image_size} px, objects of {object_size}"
    return speed_row("compositing", case, "images/s", IMAGES, seconds["ours"], seconds["PIL"], "PIL", ">= 4")


def _floats(pictures: Sequence[Image.Image]) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).float().div_(255)


def _bytes(pictures: Float[Tensor, "b c h w"]) -> np.ndarray:
    table: np.ndarray = pictures.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return table


def main() -> None:
    """Runs all sizes."""
    output = parse_output()
    torch.set_num_threads(1)
    report([compare(size, scale * size) for scale in (1, 2) for size in SIZES], output)


if __name__ == "__main__":
    main()
