"""Iterations a second of an MrGAN's whole fit against CycleGAN loops with the same networks. One thread.

An iteration is one update of both generators and one of both discriminators. The loops take turns with the fit, whose
clock stops meanwhile. `--peer` names a checkout of TLLib; without one the loop of plain networks is what is compared.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, cast

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
from synthreal.modules.pairs import Judges
from synthreal.networks import CycleGenerator

IMAGES, BATCH, WARM_UP = 2000, 32, 2
REPEATS = {32: 15, 64: 7}
WIDTHS = {32: (64, 128), 64: (64, 128, 256)}  # of the discriminators, by image size
PRECISIONS: dict[str, Literal["32-true", "bf16-mixed"]] = {"float32": "32-true", "bfloat16": "bf16-mixed"}
OWN_LAYOUT = "plain loop, channels_last"


@dataclass(frozen=True)
class Case:
    """What is measured.

    Args:
        side: Of the images, pixels.
        precision: What networks compute in, by torch's name; weights are float32.
        device: "cpu" or "cuda".
        compiled: Whether the MrGAN's networks are.
    """

    side: int
    precision: str
    device: str
    compiled: bool

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the discriminators' layers."""
        return WIDTHS[self.side]


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
        repeats: Turns of each, after those that warm up.

    Attributes:
        seconds: Of each turn, by name; the fit's is "ours". CPU time of the process, or of the clock on a GPU.
    """

    def __init__(self, loops: Mapping[str, Loop], repeats: int) -> None:
        self.loops, self.repeats = loops, repeats
        self.turns = -WARM_UP
        self.seconds: dict[str, list[float]] = {name: [] for name in ("ours", *loops)}
        self._start = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Ends the fit's turn, an iteration with all that comes between two of them, and gives the others theirs."""
        on_gpu = pl_module.device.type == "cuda"
        if self.turns >= 0:
            self.seconds["ours"].append(_now(on_gpu) - self._start)
        for name, loop in self.loops.items():
            start = _now(on_gpu)
            loop.step()
            if self.turns >= 0:
                self.seconds[name].append(_now(on_gpu) - start)
        self.turns += 1
        trainer.should_stop = self.turns == self.repeats
        self._start = _now(on_gpu)


def _now(on_gpu: bool) -> float:
    if on_gpu:
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def mrgan(case: Case, identity: bool) -> MrGAN:
    """Returns an MrGAN of one stage that begins with adversarial training, one update of each kind a batch."""
    model = MrGAN(
        stages=("r-s",),
        discriminator=",".join(f"C{width}" for width in case.widths),
        generator_updates=1,
        pretrain_generators=0,
        pretrain_discriminators=0,
        identity_weight=0.1 if identity else 0.0,
    )
    if case.compiled:
        judges = cast(Judges, model.judges[0])
        for network in (*model.refiner.stage(0).children(), judges.real, judges.synthetic):
            network.compile()
    return model


def turns(case: Case, networks: Mapping[str, Networks], identity: bool) -> Turns:
    """Trains an MrGAN while loops with these networks take turns with it.

    Args:
        case: What is measured.
        networks: Of the loops, by name.
        identity: Whether there is an identity loss: an MrGAN reuses the generated images, the loops make others.
    """
    device, precision = torch.device(case.device), getattr(torch, case.precision)
    real, synthetic = Clouds(case.side, 0), Clouds(case.side, 1)
    photos, made = (dataset.load("train").images.to(device) / 127.5 - 1 for dataset in (real, synthetic))
    loops = {name: Loop(four, photos, made, BATCH, identity, precision) for name, four in networks.items()}
    clock = Turns(loops, REPEATS[case.side])
    data = UnpairedDataModule(real, StoredImages(synthetic), BATCH, steps_per_epoch=1000)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator=case.device,
            devices=1,
            precision=PRECISIONS[case.precision],
            max_epochs=-1,
            callbacks=[clock],
            default_root_dir=folder,
            enable_model_summary=False,
        )
        trainer.fit(mrgan(case, identity), datamodule=data)
    return clock


def rows_of(case: Case, networks: Mapping[str, Networks], identity: bool = False) -> list[Row]:
    """Returns a row for each loop: a layout of one's own choice is met at no less, all else at 1.2 times its speed."""
    seconds = turns(case, networks, identity).seconds
    rows = []
    for name in networks:
        target = ">= 1" if name == OWN_LAYOUT else ">= 1.2"
        label = f"{case.side} px, {case.precision}, {name}"
        rows.append(speed_row("mrgan", label, "iterations/s", 1, seconds["ours"], seconds[name], name, target))
    return rows


def check_same(other: nn.Module, name: str) -> None:
    """Stops unless a generator makes the same images as synthreal's with the same weights."""
    ours, image = CycleGenerator(), torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        for a, b in zip(other.parameters(), ours.parameters(), strict=True):
            a.copy_(b)
        difference = (ours(image) - (other(2 * image - 1) + 1) / 2).abs().max().item()
    if difference > 1e-4:
        raise SystemExit(f"{name}'s generator differs from synthreal's by {difference:.2g}: no comparison.")


def compare(case: Case, package: Any) -> list[Row]:
    """Returns a case's rows: with four generator passes on either side, then TLLib with all that it does."""
    networks = {"plain loop": plain(case.widths), OWN_LAYOUT: plain(case.widths)}
    for network in networks[OWN_LAYOUT].all():
        network.to(memory_format=torch.channels_last)
    if package is None:
        return rows_of(case, networks)
    rows = rows_of(case, {"TLLib": tllib(package, case.widths, own_judges=False), **networks})
    whole = {"TLLib as it is": tllib(package, case.widths, own_judges=True)}
    return rows + rows_of(case, whole, identity=True)


def parse() -> argparse.Namespace:
    """Returns the settings."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=ROOT / "experiments/performance/results.csv")
    parser.add_argument("--peer", type=Path, help=f"checkout of TLLib, {TLLIB}")
    parser.add_argument("--sides", type=int, nargs="+", choices=WIDTHS, default=list(WIDTHS))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["float32"])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
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
    for precision, side in product(settings.precisions, settings.sides):
        rows += compare(Case(side, precision, settings.device, settings.compile), package)
    report(rows, settings.output)


if __name__ == "__main__":
    main()
