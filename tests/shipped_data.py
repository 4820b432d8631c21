"""What the shipped configs read, in small but in the true formats, and settings that keep a run to seconds."""

import json
from itertools import chain, product
from pathlib import Path

import numpy as np
import pytest
import trimesh
import yaml
from PIL import Image

from synthreal.cli import main
from synthreal.datasets.cifar import Cifar10, Cifar100
from synthreal.datasets.cifar_da import DA9
from synthreal.datasets.imagenet import BENCHMARK_SYNSETS
from synthreal.datasets.places import BENCHMARK_SCENES
from synthreal.datasets.visda import CLASSES

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
VEHICLES = ["airplane", "automobile", "ship", "truck"]

ANYWHERE = {
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
}
BY_DATAMODULE = {
    "BucketDataModule": {"data.num_probes": 160, "data.steps_per_epoch": 3},
    "GeneratedDataModule": {"data.count": 8, "data.batch_size": 4},
    "MixedDataModule": {"data.batch_size": 16, "data.test_size": 20},
}
# The last of the collections is the procedural one.
ONE_MODEL = {"data.generator.init_args.meshes.init_args.collections.init_args.instances_per_class": 1}
FEW = {"data.batch_size": 4, "data.eval_batch_size": 4, "data.synthetic_size": 8, "data.test_size": 4}
BY_NAME = {
    "vehicles": ONE_MODEL,
    "ladder": {**ONE_MODEL, "data.synthetic_size": 16},
    "imagenet": {**FEW, "data.num_workers": 0},
    "cross_domain": {"data.synthetic_size": 8},
    "reliability": {"data.real_per_class": 100},
}


def quick(config, study=""):
    """Settings, by dotted key, under which a run of a shipped config, or of a study over it, takes seconds anywhere."""
    datamodule = yaml.safe_load(config.read_text())["data"]["class_path"]
    return {**ANYWHERE, **BY_DATAMODULE[datamodule], **BY_NAME.get(config.stem, {}), **BY_NAME.get(study, {})}


def options(settings):
    """Settings as words of a command line."""
    return [f"--{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in settings.items()]


def write_shipped_data(folder):
    """Writes `data/` with all that a shipped config reads: noise, boxes, and renderings of boxes."""
    data, random = folder / "data", np.random.default_rng(0)
    write_mnist(data / "MNIST" / "raw", random)
    write_cifar(data, random)
    lists = {data / "visda" / domain: list(visda_images(domain)) for domain in ("train", "validation")}
    write_pictures([*pictures(data), *(domain / image for domain in lists for image, _ in lists[domain])], random)
    for domain, images in lists.items():
        (domain / "image_list.txt").write_text("".join(f"{image} {label}\n" for image, label in images))
    write_models(data / "models", VEHICLES, 2)
    write_models(data / "da9", DA9, 1)
    write_models(data / "objects", BENCHMARK_SYNSETS, 2)
    write_renderings(folder)


def write_mnist(folder, random):
    folder.mkdir(parents=True)
    for part, count in (("train", 7000), ("t10k", 40)):
        images, labels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10
        header = np.array([0x0803, count, 28, 28], dtype=">i4").tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = np.array([0x0801, count], dtype=">i4").tobytes()
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())


def write_cifar(root, random):
    """The binary versions of CIFAR-10 and CIFAR-100, as far as CIFAR-DA9 draws from them."""
    for source, cifar in (("cifar10", Cifar10()), ("cifar100", Cifar100())):
        (root / cifar.folder).mkdir()
        groups = [sources[source] for sources in DA9.values() if source in sources]
        heads = len(cifar.label_counts)
        for split, count in (("train", 500), ("test", 100)):
            labels = [cifar.classes.index(name) for group in groups for name in group * (count // len(group))]
            rows = random.integers(0, 256, (len(labels), heads + 3072), dtype=np.uint8)
            rows[:, :heads] = 0  # CIFAR-100 has a coarse label before the class
            rows[:, heads - 1] = labels
            for file, part in zip(cifar.files[split], np.array_split(rows, len(cifar.files[split])), strict=True):
                part.tofile(root / cifar.folder / file)


def pictures(data):
    """The picture files of all data sets that are folders of pictures."""
    counts = {"train": 500, "test": 5}
    for split, name in product(counts, VEHICLES):
        yield from (data / "cifar10" / split / name / f"{i:04}.png" for i in range(counts[split]))
    for name in ("n01440764_tench", "n02701002_ambulance", "n07753592_banana", "n09472597_volcano"):
        yield data / "photos" / f"{name}.jpg"
    for split, synsets in product(("train", "val"), BENCHMARK_SYNSETS.values()):
        yield from (data / "imagenet" / split / synset / f"{synset}_1.JPEG" for synset in synsets)
    for scene in sorted(set(chain.from_iterable(BENCHMARK_SCENES.values()))):
        yield data / "places365" / "data_256" / scene[0] / scene / "00000001.jpg"


def visda_images(domain):
    """Path and label of four images of each of three classes: renderings of four models, or photos."""
    for label, name in enumerate(CLASSES[:3]):
        for i in range(4):
            file = f"src_1_model{label}{i}__10_20_30.png" if domain == "train" else f"{name}_{i}.jpg"
            yield f"{name}/{file}", label


def write_pictures(paths, random):
    """Pictures of 32 × 32 pixels, each different, in the format that their suffix names."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)


def write_models(root, classes, count):
    """Boxes, each of another shape: `<class>/<number>.obj`."""
    for row, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(count):
            trimesh.creation.box((1, 1 + row / 10, 2 + i)).export(root / name / f"{i}.obj")


def write_renderings(folder):
    """The vehicles, by the two commands that their config shows."""
    config = EXPERIMENTS / "mixing" / "vehicles.yaml"
    small = {**quick(config), "data.count": 40, "data.batch_size": 40}
    command = ["predict", "--config", str(config), *options(small)]
    plain = ["--data.generator={init_args: {background: null, occlusion: 0}}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(command) == 0
        assert main([*command, *plain, "--trainer.callbacks.output=data/vehicles_plain"]) == 0
