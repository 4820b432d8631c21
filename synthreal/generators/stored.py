"""Images that exist already, where a generator is asked for."""

from functools import cached_property
from typing import Any, Literal

import torch

from synthreal.batch import Batch, Domain, Draws, LabelledImages, synthetic_batch
from synthreal.datasets import ImageDataset
from synthreal.datasets.base import Split, in_memory
from synthreal.datasets.by_class import ByClass, by_label
from synthreal.errors import DatasetError
from synthreal.generators.base import ImageGenerator
from synthreal.spaces import Categorical, Product


class StoredImages(ImageGenerator):
    """Hands out the images of a data set: rendered folders, others' renderings, or real images to be refined.

    u is the class; the draw's seed picks one of its images, the (seed mod their number)-th. So draws from P0 have every
    class equally often, however many images it has; the draws of `stored` have each image once, and the classes as
    often as the data set.

    Args:
        dataset: Labelled images, kept in memory.
        split: Which of its sets.
        domain: What its images are handed out as.

    Raises:
        ConfigError: If the data set has no such split.
    """

    def __init__(
        self, dataset: ImageDataset, split: Split = "train", domain: Literal["real", "synthetic"] = "synthetic"
    ) -> None:
        dataset.check_split(split)
        self.dataset, self.split, self.domain = dataset, split, Domain[domain.upper()]
        self.num_classes = len(dataset.classes)
        self.space = Product([Categorical("class", dataset.classes)])
        self._on_device: dict[torch.device, tuple[LabelledImages, ByClass]] = {}

    def stored(self) -> Draws:
        """Returns the draw of each image, in the order of the data set."""
        label, table = self.images.labels, self._by_class
        seed = torch.empty_like(label)
        seed[table.order] = table.numbers()
        return {"bucket": label.clone(), "parameters": label[:, None].float(), "seed": seed}

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`."""
        if device not in self._on_device:
            self._on_device[device] = self.images.to(device), self._by_class.to(device)
        images, table = self._on_device[device]
        label = draws["bucket"]  # a bucket for each class
        row = table.nth(label, draws["seed"])
        made = synthetic_batch(images.pixels(row), label, draws)
        return {**made, "domain": torch.full_like(label, self.domain)}

    @cached_property
    def images(self) -> LabelledImages:
        """The images, read when they are first needed.

        Raises:
            ConfigError: If they stay on disk.
            DatasetError: If a class has none.
        """
        images = in_memory(self.dataset.load(self.split))
        count = torch.bincount(images.labels, minlength=self.num_classes).tolist()
        empty = [name for name, held in zip(self.dataset.classes, count, strict=True) if not held]
        if empty:
            raise DatasetError(f"The classes {empty} have no image to hand out: add some, or leave these classes out.")
        return images

    @cached_property
    def _by_class(self) -> ByClass:
        return by_label(self.images.labels, self.num_classes)

    def __deepcopy__(self, memo: dict[int, Any]) -> "StoredImages":
        # Nothing here ever changes: a copy would only load the images again.
        return self
