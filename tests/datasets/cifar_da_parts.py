"""Small files in CIFAR's binary layouts, and manifests, for the tests of CIFAR-DA."""

import csv

import numpy as np

from synthreal.datasets.cifar import Cifar10, Cifar100

PEOPLE = ["baby", "boy", "girl", "man", "woman"]
MIXED = {"vehicle": {"cifar10": ["truck"], "cifar100": ["bus"]}, "person": {"cifar100": PEOPLE}}
SMALL = {"train_per_class": 10, "test_per_class": 10, "validation_per_class": 10}
HEADER = "split,class,source,source_class,row,sha256"


def write_split(path, label_rows, seed):
    """Rows of label bytes and random pixels; returns the pixels of each row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(label_rows), 3072), dtype=np.uint8)
    np.concatenate([np.array(label_rows, np.uint8), pixels], 1).tofile(path)
    return [row.tobytes() for row in pixels]


def write_cifar(root, ten, fine, train, test):
    """Both data sets with so many images of each class named; returns where each image comes from, by its pixels."""
    origin = {}
    ten = [Cifar10.all_classes.index(name) for name in ten]
    fine = [Cifar100.all_classes.index(name) for name in fine]
    for part, count in (("train", train), ("test", test)):
        labels = ten * count  # one of each class in turn
        files = [f"data_batch_{i}.bin" for i in range(1, 6)] if part == "train" else ["test_batch.bin"]
        for i, rows in enumerate(np.array_split(labels, len(files))):
            found = write_split(root / "cifar-10-batches-bin" / files[i], rows[:, None], [i, count])
            names = [Cifar10.all_classes[label] for label in rows]
            origin |= dict(zip(found, (("cifar10", part, name) for name in names), strict=True))
        labels = [(label % 20, label) for label in fine * count]
        found = write_split(root / "cifar-100-binary" / f"{part}.bin", labels, [9, count])
        names = [Cifar100.all_classes[label] for _, label in labels]
        origin |= dict(zip(found, (("cifar100", part, name) for name in names), strict=True))
    return origin


def keys(images):
    """The pixels of each image, as a key."""
    return [image.tobytes() for image in images.images.numpy()]


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
