"""Triplet sets of 100,000 samples against a loop over samples, and against a training step on sets. One thread."""

import statistics

import numpy as np
import torch
from jaxtyping import Float, Int
from measure import Row, run, speed_row
from torch import nn
from torch.nn import functional as F
from turns import cpu_turns

from synthreal.networks import VariationalCoder, ZigzagNet
from synthreal.samplers import TripletTable, quaternions

SAMPLES, CLASSES, FAR = 100_000, 12, 45.0
LOOPED = 500  # references of the loop; its time is scaled to all samples
SETS, SIDE = 16, 112
REPEATS, STEP_REPEATS = 15, 7


class Loop:
    """The same sets one after another: the class's samples looked up in lists, the distances to all of them by NumPy.

    Args:
        label: Class of each sample.
        quaternion: Pose of each.
    """

    def __init__(self, label: Int[np.ndarray, " n"], quaternion: Float[np.ndarray, "n 4"]) -> None:
        self.label, self.quaternion = label, quaternion
        self.fellows = [np.flatnonzero(label == number) for number in range(CLASSES)]
        self.poses = [quaternion[fellows] for fellows in self.fellows]
        self.bound = np.cos(np.radians(FAR) / 2)
        self.random = np.random.default_rng(0)

    def set_of(self, reference: int) -> list[int]:
        """Draws the set of one reference; there are far poses in every class."""
        own = self.label[reference]
        fellows, cosine = self.fellows[own], np.abs(self.poses[own] @ self.quaternion[reference])
        far = fellows[cosine <= self.bound]
        cosine[np.searchsorted(fellows, reference)] = -1
        members = [reference, fellows[cosine.argmax()], far[self.random.integers(len(far))]]
        while len(members) < 5:
            other = int(self.random.integers(len(self.label)))
            if self.label[other] != own and other not in members:
                members.append(other)
        return members

    def run(self) -> None:
        """Draws the sets of the first references."""
        for reference in range(LOOPED):
            self.set_of(reference)


class Training:
    """Both networks of GM-CML, forward and backward, with the losses of a reconstruction and of classes."""

    def __init__(self) -> None:
        self.coder, self.classifier = VariationalCoder(SIDE), ZigzagNet(CLASSES, 6)
        generator = torch.Generator().manual_seed(0)
        self.image = torch.rand(5 * SETS, 3, SIDE, SIDE, generator=generator)
        self.label = torch.arange(5 * SETS) % CLASSES
        self.networks = nn.ModuleList([self.coder, self.classifier])

    def step(self) -> None:
        """A step without the optimiser's part."""
        self.networks.zero_grad()
        made = self.coder(self.image).image
        logits = self.classifier(torch.cat([self.image, made], 1))
        (F.mse_loss(made, self.image) + F.cross_entropy(logits, self.label)).backward()


def share(case: str, unit: str, ours: list[float], step: list[float], peer: str) -> Row:
    """Returns the row of what our work takes, as a share of the step's."""
    shares = [a / b for a, b in zip(ours, step, strict=True)]
    a, b = statistics.median(ours), statistics.median(step)
    return Row("triplet_sets", case, unit, a, b, peer, a / b, min(shares), max(shares), "<= 1", len(shares))


def compare() -> list[Row]:
    """Times the table and a pass of sets, the loop, and the step."""
    random = np.random.default_rng(0)
    label = torch.from_numpy(random.integers(CLASSES, size=SAMPLES))
    view = torch.from_numpy(random.uniform([0, -90, -180], [360, 90, 180], (SAMPLES, 3)))
    loop, training = Loop(label.numpy(), quaternions(view).numpy()), Training()

    def table() -> TripletTable:
        """Without lights, of which the loop knows nothing."""
        return TripletTable(label, view.float(), None, CLASSES, FAR)

    def ours() -> None:
        """Everything: the table, and a set for every sample."""
        table().draw(torch.arange(SAMPLES), random)

    seconds = cpu_turns({"ours": ours, "loop": loop.run}, REPEATS)
    scaled = [SAMPLES / LOOPED * second for second in seconds["loop"]]
    case, peer = f"{SAMPLES} sets, loop over {LOOPED} scaled", "loop over samples"
    rows = [speed_row("triplet_sets", case, "sets/s", SAMPLES, seconds["ours"], scaled, peer, ">= 10")]
    seconds = cpu_turns({"table": table, "ours": ours, "step": training.step}, STEP_REPEATS)
    each, step = ([second / count for second in seconds[name]] for name, count in (("ours", SAMPLES), ("step", SETS)))
    peer = f"GM-CML step on {SETS} sets"
    rows.append(share(f"table of {SAMPLES} samples", "s", seconds["table"], seconds["step"], peer))
    return [*rows, share(f"one set of {SAMPLES}", "s", each, step, f"{peer}, for one set")]


if __name__ == "__main__":
    run(compare)
