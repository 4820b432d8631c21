"""What the shipped configs read, in small but in the true formats, and settings that keep a run to seconds."""

import json
from itertools import chain, product
from pathlib import Path

import numpy as np
import torch
import trimesh
import yaml
from lightning.pytorch import Trainer
from PIL import Image
from scipy.io import savemat

from synthreal.cli import main
from synthreal.datasets.cifar import Cifar10, Cifar100
from synthreal.datasets.cifar_da import DA9
from synthreal.datasets.imagenet import BENCHMARK_SYNSETS
from synthreal.datasets.places import BENCHMARK_SCENES
from synthreal.datasets.visda import CLASSES
from synthreal.modules import MrGAN
from synthreal.studies.cell import cell_folder
from synthreal.studies.spec import load_study

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
VEHICLES = ["airplane", "automobile", "ship", "truck"]

ANYWHERE = {
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
}
BY_DATAMODULE = {
    "BucketDataModule": {"data.num_probes": 160, "data.steps_per_epoch": 3},
    "ForegroundDataModule": {
        "data.batch_size": 10,
        "data.test_size": 20,
        "data.eval_batch_size": 20,
        "data.gallery_size": 20,
    },
    "GeneratedDataModule": {"data.count": 4, "data.batch_size": 2},
    "MixedDataModule": {"data.batch_size": 16, "data.test_size": 20},
    "UnpairedDataModule": {"data.batch_size": 4, "data.test_size": 20, "data.eval_batch_size": 20},
}
# Where a config has its procedural models: of several collections the last one, which such a key sets.
PROCEDURAL = {
    **dict.fromkeys(("rendering/benchmark_views", "rendering/pairs", "rendering/procedural"), "meshes"),
    **dict.fromkeys(("mixing/ladder", "mixing/vehicles", "gmcml/vehicles_pairs"), "meshes.init_args.collections"),
    "rendering/composites": "foreground.init_args.meshes",
}
BY_NAME = {
    **{name: {f"data.generator.init_args.{at}.init_args.instances_per_class": 1} for name, at in PROCEDURAL.items()},
    "benchmark/imagenet": {"data.batch_size": 4, "data.eval_batch_size": 4, "data.test_size": 4, "data.num_workers": 0},
}
BY_NAME["rendering/benchmark_views"]["data.generator.init_args.image_size"] = 128  # most time goes into the sheet
RENDERINGS = {
    "mixing/vehicles.yaml": [
        [
            "--data.generator={init_args: {background: null, occlusion: 0}}",
            "--trainer.callbacks.output=data/vehicles_plain",
        ]
    ],
    "gmcml/vehicles_pairs.yaml": [
        ["--data.generator={init_args: {background: null}}", "--trainer.callbacks.output=data/vehicle_pairs_plain"],
        ["--data.generator.init_args.close_shot=0.2", "--trainer.callbacks.output=data/vehicle_pairs_close"],
    ],
}
AT_MOST = {"real_per_class": 20, "synthetic_size": 8}


def name_of(config):
    """A shipped file's name with that of its folder: `mixing/digits`."""
    return f"{config.parent.name}/{config.stem}"


def quick(config, *layers):
    """Settings, by dotted key, under which a run of a shipped config, under layers, takes seconds on any machine."""
    data, *over = (yaml.safe_load(path.read_text()).get("data", {}) for path in (config, *layers))
    asked = {key: value for part in (data, *over) for key, value in part.get("init_args", {}).items()}
    sizes = capped({f"data.{key}": value for key, value in asked.items() if key in AT_MOST})
    return {**ANYWHERE, **BY_DATAMODULE[data["class_path"]], **BY_NAME.get(name_of(config), {}), **sizes}


def capped(settings):
    """The same settings, asking for no more images than the small data have."""

    def cap(key, value):
        most = AT_MOST.get(key.rpartition(".")[2])
        return value if most is None or value is None else min(value, most)

    return {key: cap(key, value) for key, value in settings.items()}


def options(settings):
    """Settings as words of a command line."""
    return [f"--{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in settings.items()]


def write_shipped_data(data):
    """Writes the data that shipped configs read, into `data`: noise, boxes, renderings of boxes."""
    random = np.random.default_rng(0)
    write_mnist(data / "MNIST" / "raw", random)
    write_cifar(data, random)
    lists = {data / "visda" / domain: list(visda_images(domain)) for domain in ("train", "validation")}
    write_pictures([*pictures(data), *(domain / image for domain in lists for image, _ in lists[domain])], random)
    for domain, images in lists.items():
        (domain / "image_list.txt").write_text("".join(f"{image} {label}\n" for image, label in images))
    write_models(data / "models", VEHICLES, 2)
    write_models(data / "da9", DA9, 1)
    write_models(data / "objects", BENCHMARK_SYNSETS, 2)
    shapenet = yaml.safe_load((EXPERIMENTS / "gmcml" / "shapenet.yaml").read_text())["data"]["init_args"]["phases"][0]
    synsets = shapenet["generator"]["init_args"]["meshes"]["init_args"]["classes"]
    write_shapenet(data / "ShapeNetCore.v1", synsets.values())
    write_pascal3d(data / "PASCAL3D+_release1.1", synsets, random)
    write_renderings()


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
    counts = {"train": 60, "test": 5}
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


def write_shapenet(root, synsets):
    """Two boxes of each synset: `<synset>/<model>/model.obj`."""
    for synset, model in product(synsets, "ab"):
        (root / synset / model).mkdir(parents=True)
        trimesh.creation.box((1, 1, 2)).export(root / synset / model / "model.obj")


def write_pascal3d(root, classes, random):
    """A photo of each class with one annotated object, for testing."""
    view = {"azimuth": 30.0, "elevation": 10.0, "theta": 0.0, "distance": 3.0}
    marks = {"difficult": 0, "truncated": 0, "occluded": 0}
    for name in classes:
        folder = f"{name}_imagenet"
        write_pictures([root / "Images" / folder / "n1.JPEG"], random)
        (root / "Annotations" / folder).mkdir(parents=True)
        thing = {"class": name, "bbox": [4.0, 4.0, 20.0, 24.0], "viewpoint": view, **marks}
        savemat(root / "Annotations" / folder / "n1.mat", {"record": {"objects": thing}})
        (root / "Image_sets").mkdir(exist_ok=True)
        (root / "Image_sets" / f"{folder}_val.txt").write_text("n1\n")


def write_renderings():
    """The vehicles, by the commands that their configs show."""
    for path, variants in RENDERINGS.items():
        config = EXPERIMENTS / path
        sizes = options({**quick(config), "data.count": 40, "data.batch_size": 40})
        for variant in ([], *variants):
            assert main(["predict", "--config", str(config), *sizes, *variant]) == 0


def write_shipped_runs(runs):
    """Writes what shipped configs read of other runs: the MrGANs that studies leave, of seed 0, as if trained."""
    folder = EXPERIMENTS / "mrgan"
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    for name, left in product(("digits", "vehicles"), ("cyclegan", "stages")):
        settings = yaml.safe_load((folder / f"{name}.yaml").read_text())["model"]["init_args"]
        study = load_study(folder / f"{name}_{left}.yaml")
        for variant, overrides in study.variants.items():
            torch.manual_seed(0)
            stages = yaml.safe_load(overrides["model.init_args.stages"])
            module = MrGAN(**{**settings, "stages": stages})
            module.batches = module.schedule.batches
            trainer.strategy.connect(module)
            trainer.save_checkpoint(cell_folder(runs / study.name, variant, 0, study.steps[-1]) / "last.ckpt")
