"""Rendering a class-balanced batch against the ResNet-20 training step on it. One thread."""

import statistics

import torch
from measure import Row, parse_output, report
from torch.nn import functional as F
from torch.optim import SGD
from turns import cpu_turns

from synthreal.batch import Batch
from synthreal.datasets import Noise
from synthreal.datasets.meshes import ProceduralMeshes
from synthreal.generators.lighting import RandomLight
from synthreal.generators.mesh import MeshImages
from synthreal.networks.resnet import ResNet
from synthreal.samplers import even_draws
from synthreal.spaces import UniformViews

IMAGES, SIZE, REPEATS = 64, 64, 7
CPU = torch.device("cpu")


class Training:
    """ResNet-20 with SGD, as a training step runs it.

    Args:
        num_classes: Number of classes.
    """

    def __init__(self, num_classes: int) -> None:
        self.network = ResNet(num_classes)
        self.optimizer = SGD(self.network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def step(self, batch: Batch) -> None:
        """Learns from a batch."""
        loss = F.cross_entropy(self.network(batch["image"]), batch["label"])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def compare() -> Row:
    """Times a batch of procedural meshes, with everything that makes pictures differ, and a step on it."""
    meshes = ProceduralMeshes(instances_per_class=5)
    images = MeshImages(meshes, SIZE, UniformViews(), lighting=RandomLight(), background=Noise())
    draws = even_draws(images.space, IMAGES, [0])
    batch, training = images.generate(draws, CPU), Training(images.num_classes)
    seconds = cpu_turns({"ours": lambda: images.generate(draws, CPU), "step": lambda: training.step(batch)}, REPEATS)
    shares = [a / b for a, b in zip(seconds["ours"], seconds["step"], strict=True)]
    ours, step = statistics.median(seconds["ours"]), statistics.median(seconds["step"])
    case, ends = f"{IMAGES} images at {SIZE} px", (min(shares), max(shares))
    return Row("training_step", case, "s", ours, step, "ResNet-20 step", ours / step, *ends, "<= 1", REPEATS)


def main() -> None:
    """Runs the benchmark."""
    output = parse_output()
    torch.set_num_threads(1)
    report([compare()], output)


if __name__ == "__main__":
    main()
