"""Steps a second of a whole fit with SampleAhead against a bare PyTorch loop with uniform sampling. One thread.

The two take turns of 50 steps within one `Trainer.fit`, the loop's with the fit's clock stopped. The fit's side holds
all that an epoch has: draws, Lightning, progress bar, CSV log, probe pass, update, checkpoint.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from fitting import PAPER_EPOCH, PAPER_STEPS, Clock, Fit
from measure import parse_output, report, speed_row
from torch import Tensor
from torch.nn import functional as F
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from synthreal.batch import LabelledImages
from synthreal.generators.augment import affine_matrices
from synthreal.networks import LeNet

REPEATS = 3
REAL, SYNTHETIC = 60, 16


class BareLoop:
    """What a user would write for the same training without SampleAhead: uniform sampling, nothing logged.

    Attributes:
        seconds: Of each epoch.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.network = LeNet()
        named = list(self.network.named_parameters())
        biases = [parameter for name, parameter in named if name.endswith("bias")]
        weights = [parameter for name, parameter in named if not name.endswith("bias")]
        groups: list[dict[str, Any]] = [{"params": weights}, {"params": biases, "lr": 0.01}]
        self.optimizer = SGD(groups, lr=0.005, momentum=0.9, weight_decay=0.0005)
        self.schedule = LambdaLR(self.optimizer, lambda step: (1 + 1e-4 * step) ** -0.75)
        self.transformations = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6])
        self.limits = torch.tensor([15, 0.15, 0.15, 2, 2, 0.15, 0.15])

    def load(self, images: LabelledImages) -> None:
        """Keeps the images as floats in memory."""
        self.images, self.labels = images.images / 255, images.labels
        self.order = self._permutations()

    def augment(self, image: Tensor) -> Tensor:
        """Returns images, each transformed in one of the seven ways."""
        which = self.transformations[torch.randint(16, (len(image),))]
        value = (2 * torch.rand(len(image)) - 1) * self.limits[which]
        grid = F.affine_grid(affine_matrices(which, value, 28, 28), list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, align_corners=False)

    def run(self, steps: int) -> None:
        """Trains for some steps, and adds up the time of each epoch."""
        start = time.perf_counter()
        for _ in range(steps):
            real = next(self.order)
            chosen = torch.randint(len(self.images), (SYNTHETIC,))
            image = torch.cat([self.images[real], self.augment(self.images[chosen])])
            label = torch.cat([self.labels[real], self.labels[chosen]])
            loss = F.cross_entropy(self.network(image), label)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
        epoch = (self.schedule.last_epoch - 1) // PAPER_EPOCH
        self.seconds[epoch:] = [sum(self.seconds[epoch:]) + time.perf_counter() - start]

    def _permutations(self) -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(len(self.images))[: len(self.images) // REAL * REAL].split(REAL)


def main() -> None:
    """Runs the benchmark, and says where the time goes."""
    output = parse_output()
    torch.set_num_threads(1)
    loop = BareLoop()
    with tempfile.TemporaryDirectory() as folder:
        fit = Fit(Path(folder), PAPER_EPOCH, REPEATS)
        fit.data.setup("fit")
        loop.load(fit.data.images["train"])
        clock = Clock(loop.run)
        total = fit.run(clock)
    peer = "bare PyTorch loop"
    row = speed_row("fit", "epochs of 983 steps", "steps/s", PAPER_EPOCH, clock.seconds, loop.seconds, peer, ">= 0.85")
    report([row], output)
    epoch, bare = statistics.median(clock.seconds), statistics.median(loop.seconds)
    probes = statistics.median(fit.probe_seconds)
    rest = epoch - bare - probes
    print(
        f"An epoch of the fit takes {epoch:.1f} s: {100 * bare / epoch:.1f} % the bare loop's work "
        f"({1e3 * bare / PAPER_EPOCH:.2f} ms a step), {100 * rest / epoch:.1f} % Lightning, draws and checkpoint "
        f"({1e3 * rest / PAPER_EPOCH:.2f} ms a step), {100 * probes / epoch:.1f} % probes and update ({probes:.2f} s)."
    )
    fixed = total - sum(clock.seconds) - sum(loop.seconds)
    epochs = PAPER_STEPS / PAPER_EPOCH
    print(
        f"Once a run, {fixed:.1f} s: set-up and figures. With them the paper's 10,000 steps run at "
        f"{epochs * bare / (epochs * epoch + fixed):.3f} of the loop's speed."
    )


if __name__ == "__main__":
    main()
