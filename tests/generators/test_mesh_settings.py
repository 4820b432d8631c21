"""Rendered models in training and in a config, and the settings that are refused."""

import numpy as np
import pytest
import torch
import trimesh
import yaml
from lightning.pytorch import Trainer
from PIL import Image

from synthreal.batch import Domain, LabelledImages
from synthreal.callbacks import SampleAhead
from synthreal.cli import main
from synthreal.datamodules import BucketDataModule
from synthreal.datasets import ImageDataset
from synthreal.errors import ConfigError
from synthreal.modules import Classifier
from synthreal.spaces import Continuous, Product
from tests.generators.mesh_parts import AROUND, CLASSES, COLOURS, EVERYTHING, SIZE, images_of


def test_a_fixed_camera_by_default():
    assert images_of().space.centres()[:, 1:5].tolist() == [[-40, 20, 0, np.float32(2.2)]] * 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"focal_length": (0, 1)}, "focal_length is shortest and longest"),
        ({"focal_length": (2, 1)}, "focal_length is shortest and longest"),
        ({"focal_length": (float("nan"), 1)}, "focal_length"),
        ({"own_surface": 1.1}, "own_surface is a share"),
        ({"own_surface": -0.1}, "own_surface is a share"),
        ({"shift": -0.1}, "shift and occlusion"),
        ({"shift": 1}, "shift and occlusion"),
        ({"occlusion": -0.1}, "shift and occlusion"),
        ({"occlusion": float("nan")}, "shift and occlusion"),
        ({"focal_point": -0.1}, "focal_point -0.1 and close_shot 0 are at least 0"),
        ({"focal_point": float("nan")}, "focal_point nan"),
        ({"focal_point": float("inf")}, "focal_point inf"),
        ({"close_shot": -0.1}, "close_shot -0.1 are at least 0"),
        ({"close_shot": 0.5}, r"no camera, 2\.2 from the object, could stand at the point that it looks at"),
        ({"focal_point": 1.28}, "could stand at the point"),  # 1.28 √3 = 2.217
        ({"focal_point": 0.64, "close_shot": 0.25}, "could stand at the point"),  # half of that
        ({"focal_point": 0.1, "fill": 0.9}, "fill zooms and shifts each camera itself: .*focal_point"),
        ({"close_shot": 0.1, "fill": 0.9}, "fill zooms and shifts each camera itself: .*close_shot"),
        ({"shift": 0.1, "fill": 0.9}, "fill zooms and shifts each camera itself: .*shift"),
        ({"focal_length": (1, 2), "fill": 0.9}, "fill zooms and shifts each camera itself: .*range of focal_length"),
        ({"fill": 0}, "fill is a share"),
        ({"fill": 1.01}, "fill is a share"),
        ({"views": Continuous("azimuth", 0, 360)}, "columns azimuth, elevation, tilt, distance, not azimuth"),
        ({"views": Product([AROUND, Continuous("zoom", 0, 1)])}, "not azimuth, .*zoom"),
    ],
)
def test_what_it_refuses(settings, words):
    with pytest.raises(ConfigError, match=words):
        images_of(**settings)


class Squares(ImageDataset):
    """Real pictures of the same classes: 12 squares of colour each."""

    classes = CLASSES

    def load(self, split):
        colour = torch.from_numpy(COLOURS[:, 0] * 255).byte().repeat_interleave(12, 0)
        images = torch.zeros(36, 3, SIZE, SIZE, dtype=torch.uint8)
        images[:, :, 8:24, 8:24] = colour[:, :, None, None]
        return LabelledImages(images, torch.arange(3).repeat_interleave(12), self.classes)


def test_it_trains_with_real_pictures_and_sampleahead():
    data = BucketDataModule(
        Squares(),
        images_of(**EVERYTHING | {"outputs": None}),
        real_per_batch=6,
        synthetic_per_batch=6,
        probe_images_per_class=0,
        num_probes=48,
        seed=0,
    )
    # Real images have no mask: what a batch mixes is what both have.
    network = {"in_channels": 3, "image_size": SIZE, "num_classes": 3}
    model = Classifier(network="synthreal.networks.LeNet", network_args=network)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    Trainer(fast_dev_run=True, accelerator="cpu", callbacks=[SampleAhead()], **quiet).fit(model, data)
    batch = data.preview(12)
    assert batch["image"].shape == (12, 3, SIZE, SIZE)
    assert batch["domain"].tolist() == [Domain.REAL] * 6 + [Domain.SYNTHETIC] * 6


def write_models(root):
    for name, extents in {"plank": (1, 0.2, 0.1), "tower": (0.3, 0.3, 1)}.items():
        (root / name).mkdir(parents=True)
        trimesh.creation.box(extents).export(root / name / "box.glb")


def test_a_config_names_every_part_by_its_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_models(tmp_path / "models")
    generator = {
        "class_path": "MeshImages",
        "init_args": {
            "meshes": {"class_path": "MeshFolder", "init_args": {"root": str(tmp_path / "models")}},
            "image_size": 24,
            "views": {"class_path": "UniformViews", "init_args": {"azimuth_bins": 2, "elevation_bins": 1}},
            "lighting": {"class_path": "RandomLight", "init_args": {"warmth": 0.1}},
            "background": {"class_path": "Noise", "init_args": {"count": 3, "side": 16}},
            "texture": {"class_path": "Noise", "init_args": {"count": 3, "side": 16, "seed": 1}},
            "outputs": ["depth"],
        },
    }
    config = {
        "model": {"class_path": "Passthrough"},
        "data": {"class_path": "GeneratedDataModule", "init_args": {"generator": generator, "count": 6}},
        "trainer": {
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "callbacks": {"class_path": "DatasetWriter", "init_args": {"output": "out", "outputs": ["mask", "depth"]}},
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["predict", "--config", "config.yaml"]) == 0
    pictures = sorted((tmp_path / "out" / "image").rglob("*.png"))
    assert {path.parent.name for path in pictures} == {"plank", "tower"}
    assert len(pictures) == 6
    with Image.open(pictures[0]) as image:
        assert image.size == (24, 24)
    assert len(list((tmp_path / "out" / "depth").rglob("*.png"))) == 6


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--data.generator.init_args.fill=2", ["fill is a share"]),
        ("--data.generator.init_args.outputs=[colour]", ["outputs", "colour"]),
        ("--data.generator.init_args.lighting=Moonlight", ["Moonlight"]),
        ("--data.generator.init_args.meshes.init_args.root=nowhere", ["MeshFolder", "nowhere"]),
    ],
)
def test_a_mistake_in_a_config_is_named(tmp_path, capsys, argument, words):
    write_models(tmp_path / "models")
    meshes = f"{{class_path: MeshFolder, init_args: {{root: {tmp_path}/models}}}}"
    generator = f"{{class_path: MeshImages, init_args: {{meshes: {meshes}}}}}"
    args = ["predict", "--model=Passthrough", "--data=GeneratedDataModule", f"--data.generator={generator}"]
    try:
        status = main([*args, "--data.count=2", argument])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    error = capsys.readouterr().err
    assert all(word in error for word in words), error
