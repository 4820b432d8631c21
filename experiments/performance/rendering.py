"""The rasteriser on textured meshes of 2,000 to 100,000 triangles, against Embree with NumPy and pyrender. One thread.

All draw the same views with four samples a pixel, and the mesh changes with every image. That a peer draws the same
pictures is checked before anything is timed. Times are those of the CPU.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from knots import knots, random_views
from measure import Row, parse_output, report, speed_row
from render_peers import Embree, Peer, Pyrender
from threadpoolctl import threadpool_limits
from turns import bound_row, cpu_turns

from synthreal.rendering.packing import PackedMeshes, pack_meshes
from synthreal.rendering.rasteriser import Output, Rasteriser
from synthreal.rendering.scene import Views

IMAGES, REPEATS = 48, 5
BOUNDS = {64: 450.0, 128: 200.0, 224: None}
PEERS = {Embree: ">= 2.5", Pyrender: ">= 10"}
COLOUR: list[Output] = ["rgba", "depth"]
ALL: list[Output] = ["rgba", "mask", "depth", "normals", "semantic"]


def compare(image_size: int, bound: float | None) -> list[Row]:
    """Times every side at one size."""
    views = random_views(torch.arange(IMAGES) % 3)
    rasteriser = ClockedRasteriser(pack_meshes(knots()), image_size)
    peers = {peer: PEERS[type(peer)] for peer in start_peers(image_size)}
    for peer in peers:
        check(peer, rasteriser, views)
    sides: dict[str, Callable[[], object]] = {
        "RGBA, depth": lambda: rasteriser.render(views, COLOUR),
        "all outputs": lambda: rasteriser.render(views, ALL),
    }
    for peer in peers:
        sides[peer.name] = partial(peer.draw, views.part(slice(0, peer.images)))
    amount = dict.fromkeys(sides, IMAGES) | {peer.name: peer.images for peer in peers}
    seconds = {name: [second / amount[name] for second in turns] for name, turns in cpu_turns(sides, REPEATS).items()}
    rows = []
    for name, outputs in (("RGBA, depth", COLOUR), ("all outputs", ALL)):
        print(f"{image_size} px, {name}: {rasteriser.shares(views, outputs)}")
        if bound:
            rows.append(bound_row("rendering", f"{image_size} px, {name}", "images/s", seconds[name], bound))
    for peer, target in peers.items():
        case, pair = f"{image_size} px, {peer.name}", (seconds["RGBA, depth"], seconds[peer.name])
        rows.append(speed_row("rendering", case, "images/s", 1, *pair, peer.name, target))
    return rows


def start_peers(image_size: int) -> list[Peer]:
    """Returns the peers that run on this machine."""
    peers: list[Peer] = []
    for kind in PEERS:
        try:
            peers.append(kind(knots(), image_size))
        except Exception as error:  # OpenGL's libraries fail in many ways
            print(f"{kind.name} is left out, it does not run here: {error}")
    return peers


def check(peer: Peer, rasteriser: Rasteriser, views: Views) -> None:
    """Makes sure that a peer draws the same pictures.

    Raises:
        RuntimeError: If it does not.
    """
    views = views.part(slice(0, peer.images))
    ours = rasteriser.render(views)["rgba"].permute(0, 2, 3, 1)
    theirs = torch.from_numpy(peer.draw(views)[0])
    mask, other = ours[..., 3], theirs[..., 3]
    overlap = float(torch.minimum(mask, other).sum() / torch.maximum(mask, other).sum())
    mean = [picture[..., :3].sum((0, 1, 2)) / picture[..., 3].sum() for picture in (ours, theirs)]
    difference = float((mean[0] - mean[1]).abs().max())
    if overlap < peer.agreement[0] or difference > peer.agreement[1]:
        raise RuntimeError(f"{peer.name} draws something else: overlap {overlap:.3f}, colour {difference:.3f} off.")


class ClockedRasteriser(Rasteriser):
    """Measures its launches; arguments as `Rasteriser`'s."""

    def __init__(self, meshes: PackedMeshes, image_size: int) -> None:
        super().__init__(meshes, image_size)
        self._seconds: dict[str, float] = {}

    def shares(self, views: Views, outputs: list[Output]) -> str:
        """Returns where the CPU time of a batch goes."""
        turns = []
        for _ in range(REPEATS):
            self._seconds.clear()
            start = time.process_time()
            self.render(views, outputs)
            turns.append((time.process_time() - start, *self._seconds.values()))
        total, visibility, shading = (statistics.median(column) for column in zip(*turns, strict=True))
        return (
            f"{1e3 * total / len(views.mesh):.2f} ms an image, visibility {visibility / total:.0%}, "
            f"shading {shading / total:.0%}, the rest {1 - (visibility + shading) / total:.0%}"
        )

    def _launch(self, kernel: Any, size: int | tuple[int, ...], rows: Any, *inputs: Any) -> None:
        start = time.process_time()
        super()._launch(kernel, size, rows, *inputs)
        self._seconds[kernel.key] = time.process_time() - start


def main() -> None:
    """Runs all sizes."""
    output = parse_output()
    torch.set_num_threads(1)
    threadpool_limits(1)  # NumPy's, or Embree's side would wait for threads that gain nothing
    report([row for size, bound in BOUNDS.items() for row in compare(size, bound)], output)


if __name__ == "__main__":
    main()
