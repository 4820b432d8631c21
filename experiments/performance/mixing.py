"""Mixed batches against those of one domain and torch's usual ways to mix; compositing against a step. One thread.

Batches of 128 images of 32 pixels, without transforms.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from measure import Row, parse_output, report, speed_row
from PIL import Image
from torch import Tensor
from torch.utils.data import BatchSampler, ConcatDataset, DataLoader, RandomSampler, TensorDataset
from torch.utils.data.sampler import WeightedRandomSampler
from training_step import Training
from turns import cpu_turns

from synthreal.batch import LabelledImages
from synthreal.datamodules import MixedDataModule
from synthreal.datasets import ImageDataset, ImageFolder, Noise
from synthreal.datasets.base import Split
from synthreal.datasets.files import LabelledFiles
from synthreal.datasets.meshes import ProceduralMeshes
from synthreal.generators import CutPaste, MeshImages, StoredImages
from synthreal.generators.lighting import RandomLight
from synthreal.samplers import even_draws
from synthreal.spaces import UniformViews

BATCH, SIDE = 128, 32
REPEATS, SLOW_REPEATS = 15, 7
IMAGES, STEPS = 20_000, 313  # one pass over the real images, 64 a batch
FILES, FILE_STEPS = 4000, 100
REAL = {"1:1": 64, "1:7": 16}  # real images in a batch
CPU = torch.device("cpu")

Epoch = Callable[[], None]


class RandomImages(ImageDataset):
    """Random pixels, as many images of each class.

    Args:
        seed: Another seed, other images.
    """

    classes = tuple("0123456789")

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`."""
        count, first = (IMAGES, 0) if split == "train" else (100, 1000)
        generator = torch.Generator().manual_seed(first + self.seed)
        pixels = torch.randint(256, (count, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
        return LabelledImages(pixels, torch.arange(count) % len(self.classes), self.classes)


def mixed(dataset: ImageDataset, synthetic: StoredImages, real: int, steps: int) -> MixedDataModule:
    """Returns the datamodule with so many real images in a batch, ready to train."""
    data = MixedDataModule(dataset, synthetic, (real, BATCH - real), BATCH, steps_per_epoch=steps)
    data.setup("fit")
    return data


def epoch_of(data: MixedDataModule) -> Epoch:
    """Returns a call that loads the next epoch and makes its images."""
    loader = data.train_dataloader()

    def epoch() -> None:
        """What `on_after_batch_transfer` does in training, without the trainer."""
        for step, draws in enumerate(loader):
            data.sampler.trained += 1
            data.assemble(draws, step)

    return epoch


def two_loaders(real: TensorDataset, synthetic: TensorDataset, count: int) -> Epoch:
    """Returns an epoch of two loaders side by side, exact numbers of both: whole batches, joined as bytes."""

    def loader(images: TensorDataset, size: int) -> DataLoader[tuple[Tensor, ...]]:
        """Each image once a pass."""
        order = RandomSampler(images, num_samples=STEPS * size)
        return DataLoader(images, sampler=BatchSampler(order, size, drop_last=True), batch_size=None)

    def epoch() -> None:
        """Images as floats, and labels."""
        for both in zip(loader(real, count), loader(synthetic, BATCH - count), strict=True):
            images, _ = (torch.cat(parts) for parts in zip(*both, strict=True))
            images.float().div_(255)

    return epoch


def weighted(real: TensorDataset, synthetic: TensorDataset, count: int) -> Epoch:
    """Returns an epoch of one loader over both with weights, image by image: the ratio is kept on average only."""
    weights = torch.tensor([count, BATCH - count]).repeat_interleave(IMAGES).tolist()
    order = WeightedRandomSampler(weights, STEPS * BATCH)
    loader: DataLoader[tuple[Tensor, ...]] = DataLoader(ConcatDataset([real, synthetic]), BATCH, sampler=order)

    def epoch() -> None:
        """Images as floats, and labels."""
        for images, _ in loader:
            images.float().div_(255)

    return epoch


def in_memory(synthetic: StoredImages) -> list[Row]:
    """Times batches of both domains, of each alone, and torch's, all from memory."""
    real = RandomImages(seed=0)
    photos, made = (TensorDataset(held.images, held.labels) for held in (real.load("train"), synthetic.images))
    counts = {**REAL, "real alone": BATCH, "synthetic alone": 0}
    sides = {name: epoch_of(mixed(real, synthetic, count, STEPS)) for name, count in counts.items()}
    for name, count in REAL.items():
        sides[f"{name}, two DataLoaders"] = two_loaders(photos, made, count)
        sides[f"{name}, weighted sampler"] = weighted(photos, made, count)
    seconds = cpu_turns(sides, REPEATS)

    def row(name: str, peer: str, side: str, target: str) -> Row:
        """A ratio's batches against one peer's."""
        case, images = f"{name} in memory, {peer}", STEPS * BATCH
        return speed_row("mixing", case, "images/s", images, seconds[name], seconds[side], peer, target)

    rows = [row(name, peer, peer, ">= 0.9") for name in REAL for peer in ("real alone", "synthetic alone")]
    peers = ("two DataLoaders", "weighted sampler")
    return rows + [row(name, peer, f"{name}, {peer}", ">= 1") for name in REAL for peer in peers]


def write_files(folder: Path) -> None:
    """Writes coloured clouds as JPEG, a folder a class."""
    pictures = Noise(FILES, SIDE).load(RandomImages.classes).images.permute(0, 2, 3, 1).numpy()
    for number, picture in enumerate(pictures):
        path = folder / str(number % len(RandomImages.classes)) / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path)


def on_disk(dataset: ImageFolder, synthetic: StoredImages) -> list[Row]:
    """Times batches whose real images are files, against decoding these and against synthetic images alone."""
    sides, rows = {"synthetic alone": epoch_of(mixed(dataset, synthetic, 0, FILE_STEPS))}, []
    for name, count in REAL.items():
        data = mixed(dataset, synthetic, count, FILE_STEPS)
        sides |= {name: epoch_of(data), f"{name}, decoding": decoding_of(data)}
    seconds = cpu_turns(sides, SLOW_REPEATS)
    for name, count in REAL.items():
        decoding, alone, own = seconds[f"{name}, decoding"], seconds["synthetic alone"], seconds[name]
        files, images = FILE_STEPS * count, FILE_STEPS * BATCH
        case, target = f"{name} on disk", ">= 0.9"
        rows.append(speed_row("mixing", f"{case}, decoding", "files/s", files, own, decoding, "decoding", target))
        peer = "synthetic alone"
        rows.append(speed_row("mixing", f"{case}, {peer}", "images/s", images, own, alone, peer, target))
    return rows


def decoding_of(data: MixedDataModule) -> Epoch:
    """Returns a call that decodes the real images of an epoch, and does nothing else."""
    files, wanted = data.train_images, [draws["real"] for draws in data.sampler]
    assert isinstance(files, LabelledFiles)  # keep is disk

    def epoch() -> None:
        """A batch's at a time."""
        for rows in wanted:
            files.read(rows)

    return epoch


def compositing() -> Row:
    """Times the synthetic part of a batch at 1:15, new objects on new backgrounds, and a step on the batch."""
    meshes = ProceduralMeshes(instances_per_class=5)
    images = CutPaste(MeshImages(meshes, SIDE, UniformViews(), lighting=RandomLight(), fill=1), Noise(), SIDE)
    count = BATCH * 15 // 16
    draws, training = even_draws(images.space, count, [0]), Training(images.num_classes)
    # Composites in place of the real images too: a step takes as long whatever a picture shows.
    batch = images.generate(even_draws(images.space, BATCH, [1]), CPU)
    sides = {"ours": lambda: images.generate(draws, CPU), "step": lambda: training.step(batch)}
    seconds = cpu_turns(sides, SLOW_REPEATS)
    shares = [a / b for a, b in zip(seconds["ours"], seconds["step"], strict=True)]
    ours, step = statistics.median(seconds["ours"]), statistics.median(seconds["step"])
    case, ends = f"{count} composites of {BATCH} images", (min(shares), max(shares))
    return Row("mixing", case, "s", ours, step, "ResNet-20 step", ours / step, *ends, "<= 1", SLOW_REPEATS)


def main() -> None:
    """Runs the benchmark."""
    output = parse_output()
    torch.set_num_threads(1)
    synthetic = StoredImages(RandomImages(seed=1))
    rows = in_memory(synthetic)
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        rows += on_disk(ImageFolder(folder, SIDE, keep="disk"), synthetic)
    report([*rows, compositing()], output)


if __name__ == "__main__":
    main()
