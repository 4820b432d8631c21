"""Pairs that exist already, where a generator is asked for."""

from functools import cached_property
from typing import Any

import torch

from synthreal.batch import Batch, Draws, synthetic_batch
from synthreal.datasets.base import Split
from synthreal.datasets.by_class import ByClass, by_label
from synthreal.datasets.rendered_pairs import Pairs, RenderedPairs
from synthreal.generators.base import ImageGenerator
from synthreal.spaces import Categorical, Constant, Continuous, Product


class StoredPairs(ImageGenerator):
    """Hands out the pairs of a data set: images with semantic maps and viewpoints, for GM-CML's triplets (sec. V).

    u is (class, azimuth, elevation, tilt) and what else the data set tells, in its order, with one bucket a class; the
    ranges are the data's. The draws of `stored` are its images, in its order, each with its own u. Other draws get an
    image of their class, the (seed mod their number)-th, whatever the rest of their u: a batch's parameters are always
    those of the image.

    Args:
        dataset: Pairs, kept in memory.
        split: Which of its sets.

    Raises:
        ConfigError: If the data set has no such split.
    """

    def __init__(self, dataset: RenderedPairs, split: Split = "train") -> None:
        dataset.check_split(split)
        self.dataset, self.split = dataset, split
        self.num_classes = len(dataset.classes)
        self._on_device: dict[torch.device, tuple[Pairs, ByClass]] = {}

    @cached_property
    def space(self) -> Product:  # type: ignore[override]
        """Class and an axis for each further parameter, fixed if it is the same for all; known once they are read."""
        columns, values = self.pairs.columns[1:], self.pairs.parameters[:, 1:]
        ranges = zip(columns, values.amin(0).tolist(), values.amax(0).tolist(), strict=True)
        axes = [Continuous(name, low, high) if low < high else Constant(name, low) for name, low, high in ranges]
        return Product([Categorical("class", self.dataset.classes), *axes])

    def stored(self) -> Draws:
        """Returns the draw of each pair, in the order of the data set."""
        label, table = self.pairs.labels, self._by_class
        seed = torch.empty_like(label)
        seed[table.order] = table.numbers()
        return {"bucket": label.clone(), "parameters": self.pairs.parameters.clone(), "seed": seed}

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`. Adds semantic and viewpoint."""
        if device not in self._on_device:
            self._on_device[device] = self.pairs.to(device), self._by_class.to(device)
        pairs, table = self._on_device[device]
        label = draws["bucket"]  # a bucket for each class
        row = table.nth(label, draws["seed"])
        batch = synthetic_batch(pairs.images.index_select(0, row).div(255), label, draws)
        batch["semantic"] = pairs.semantic.index_select(0, row).div(255)
        batch["parameters"] = pairs.parameters.index_select(0, row)
        batch["viewpoint"] = batch["parameters"][:, 1:4]
        return batch

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs, read when they are first needed.

        Raises:
            DatasetNotFoundError: If files are missing.
            DatasetError: If they are no pairs.
        """
        return self.dataset.pairs(self.split)

    @cached_property
    def _by_class(self) -> ByClass:
        return by_label(self.pairs.labels, self.num_classes)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Name of each label, known before anything is read."""
        return self.dataset.classes

    def __deepcopy__(self, memo: dict[int, Any]) -> "StoredPairs":
        # Nothing here ever changes: a copy would only load the pairs again.
        return self
