"""Iterations a second of an MrGAN's whole fit against CycleGAN loops with the same networks. One thread.

An iteration is one update of both generators and one of both discriminators. The loops take turns with the fit, whose
clock stops meanwhile. `--peer` names a checkout of TLLib; without one the loop of plain networks is what is compared.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from measure import ROOT, Row, report, speed_row
from mrgan_peers import TLLIB, Loop, Networks, load_tllib, plain, plain_generator, tllib
from torch import nn

from synthreal.batch import LabelledImages
from synthreal.datamodules import UnpairedDataModule
from synthreal.datasets import ImageDataset
from synthreal.datasets.base import Split
from synthreal.generators import StoredImages
from synthreal.modules.mrgan import MrGAN
from synthreal.networks import CycleGenerator

IMAGES, BATCH, REPEATS = 2000, 32, 9
WIDTHS = {32: (64, 128), 64: (64, 128, 256)}  # of the discriminators, by image size
PRECISIONS = {torch.float32: "32-true", torch.bfloat16: "bf16-mixed"}


class Clouds(ImageDataset):
    """Coloured noise of low frequency.

    Args:
        side: Pixels.
        seed: Another seed, other images.
    """

    classes = tuple("0123456789")

    def __init__(self, side: int, seed: int) -> None:
        self.side, self.seed = side, seed

    def load(self, split: Split) -> LabelledImages:
        """See `ImageDataset.load`."""
        count, seed = (IMAGES, self.seed) if split == "train" else (100, 1000 + self.seed)
        coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
        pixels = nn.functional.interpolate(coarse, (self.side, self.side), mode="bilinear")
        return LabelledImages((255 * pixels).byte(), torch.arange(count) % len(self.classes), self.classes)


class Turns(Callback):
    """Lets loops take turns with a fit, and ends it.

    Args:
        loops: By name.

    Attributes:
        seconds: Of each turn, by name; the fit's is "ours". CPU time of the process, or of the clock on a GPU.
    """

    def __init__(self, loops: Mapping[str, Loop]) -> None:
        self.loops, self.turns = loops, 0
        self.seconds: dict[str, list[float]] = {name: [] for name in ("ours", *loops)}
        self._start = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Ends a turn, which is an iteration with all that comes before the next, after two that warm up."""
        on_gpu = pl_module.device.type == "cuda"
        if self.turns > 1:
            self.seconds["ours"].append(_now(on_gpu) - self._start)
        for name, loop in self.loops.items():
            start = _now(on_gpu)
            loop.step()
            if self.turns > 1:
                self.seconds[name].append(_now(on_gpu) - start)
        self.turns += 1
        trainer.should_stop = self.turns == REPEATS + 2
        self._start = _now(on_gpu)


def _now(on_gpu: bool) -> float:
    if on_gpu:
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def turns(settings: argparse.Namespace, side: int, networks: Mapping[str, Networks], identity: bool) -> Turns:
    """Trains an MrGAN while loops with these networks take turns with it.

    Args:
        settings: Device, precision, and whether the MrGAN's networks are compiled.
        side: Of the images, pixels.
        networks: Of the loops, by name.
        identity: Whether there is an identity loss: an MrGAN reuses the generated images, the loops make others.
    """
    device, precision = torch.device(settings.device), getattr(torch, settings.precision)
    real, synthetic = Clouds(side, 0), Clouds(side, 1)
    pictures = [dataset.load("train").images.to(device) / 127.5 - 1 for dataset in (real, synthetic)]
    clock = Turns({name: Loop(made, *pictures, BATCH, identity, precision) for name, made in networks.items()})
    layers = ",".join(f"C{width}" for width in WIDTHS[side])
    model = MrGAN(
        stages=("r-s",),
        discriminator=layers,
        generator_updates=1,
        pretrain_generators=0,
        pretrain_discriminators=0,
        identity_weight=0.1 if identity else 0.0,
    )
    if settings.compile:
        for network in (*model.refiner.stage(0).children(), *model.judges[0].children()):
            network.compile()
    data = UnpairedDataModule(real, StoredImages(synthetic), BATCH, steps_per_epoch=1000)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator=device.type,
            devices=1,
            precision=PRECISIONS[precision],  # type: ignore[arg-type]
            max_epochs=-1,
            callbacks=[clock],
            default_root_dir=folder,
            enable_model_summary=False,
        )
        trainer.fit(model, datamodule=data)
    return clock


def rows_of(clock: Turns, case: str, targets: Mapping[str, str]) -> list[Row]:
    """Returns a row for each loop."""
    ours = clock.seconds["ours"]
    return [
        speed_row("mrgan", f"{case}, {name}", "iterations/s", 1, ours, clock.seconds[name], name, target)
        for name, target in targets.items()
    ]


def check_same(other: nn.Module, name: str) -> None:
    """Stops unless a generator makes the same images as synthreal's with the same weights."""
    ours, image = CycleGenerator(), torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        for a, b in zip(other.parameters(), ours.parameters(), strict=True):
            a.copy_(b)
        difference = (ours(image) - (other(2 * image - 1) + 1) / 2).abs().max().item()
    if difference > 1e-4:
        raise SystemExit(f"{name}'s generator differs from synthreal's by {difference:.2g}: no comparison.")


def compare(settings: argparse.Namespace, side: int, package: Any) -> list[Row]:
    """Returns the rows of a size: four generator passes on either side, and TLLib with all that it does."""
    case, widths = f"{side} px, {settings.precision}", WIDTHS[side]
    flat = plain(widths)
    for network in flat.all():
        network.to(memory_format=torch.channels_last)
    networks = {"plain loop": plain(widths), "plain loop, channels_last": flat}
    targets = {"plain loop": ">= 1.2", "plain loop, channels_last": ">= 1"}
    if package is not None:
        networks["TLLib"], targets["TLLib"] = tllib(package, widths, own_judges=False), ">= 1.2"
    rows = rows_of(turns(settings, side, networks, identity=False), case, targets)
    if package is not None:
        networks = {"TLLib with identity": tllib(package, widths, own_judges=True)}
        rows += rows_of(turns(settings, side, networks, identity=True), case, {"TLLib with identity": ">= 1.2"})
    return rows


def parse() -> argparse.Namespace:
    """Returns the settings."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=ROOT / "experiments/performance/results.csv")
    parser.add_argument("--peer", type=Path, help=f"checkout of TLLib, {TLLIB}")
    parser.add_argument("--sides", type=int, nargs="+", choices=WIDTHS, default=list(WIDTHS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--compile", action="store_true", help="compile the MrGAN's networks")
    return parser.parse_args()


def main() -> None:
    """Runs the benchmark."""
    settings = parse()
    torch.set_num_threads(1)
    check_same(plain_generator(), "The plain loop")
    package = None
    if settings.peer is None:
        print(f"No --peer: TLLib is left out. To compare with it: git clone {TLLIB}, then --peer=<the checkout>.")
    else:
        package = load_tllib(settings.peer)
        check_same(package.generator.resnet_9(32), "TLLib")
    rows: list[Row] = []
    for side in settings.sides:
        rows += compare(settings, side, package)
    report(rows, settings.output)


if __name__ == "__main__":
    main()
