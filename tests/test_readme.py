"""What the README shows is what works."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
import yaml
from PIL import Image, ImageOps

from synthreal.cli import main
from synthreal.modules import Classifier
from synthreal.rendering.procedural import procedural_mesh

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language):
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return {re.match(r"# (\S+)\n", block).group(1): block for block in found if block.startswith("# ")}


def render(folder):
    """Writes a data set of cats and dogs that are chairs and cups, as `predict` does."""
    for name, family in (("cat", "chair"), ("dog", "cup")):
        for seed in range(2):
            path = folder / "models" / name / f"{seed}.obj"
            path.parent.mkdir(parents=True, exist_ok=True)
            mesh = procedural_mesh(family, seed)
            trimesh.Trimesh(mesh.vertices, mesh.faces).export(path)
    layout = {"class_path": "MeshFolder", "init_args": {"root": "models", "cache": False}}
    args = [f"--data.generator.init_args.meshes={json.dumps(layout)}", "--data.generator.init_args.image_size=32"]
    args += ["--data.count=24", "--data.batch_size=12", "--trainer.callbacks.init_args.output=renderings"]
    args += ["--trainer.callbacks.init_args.outputs=[mask]", "--data.generator.init_args.outputs=[]"]
    assert main(["predict", "--config", str(ROOT / "experiments/rendering/procedural.yaml"), *args]) == 0


@pytest.fixture
def own_project(tmp_path, monkeypatch):
    """The README's files, with photos and renderings for them."""
    for name, block in (blocks("python") | blocks("yaml")).items():
        (tmp_path / name).write_text(block)
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for i in range(10):
                Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    monkeypatch.syspath_prepend(tmp_path)
    render(tmp_path)
    return tmp_path


def test_own_dataset_and_generator_train_as_shown(own_project):
    quick = ["--trainer.fast_dev_run=2", "--trainer.accelerator=cpu"]
    assert main(["fit", "--config", "mixed.yaml", *quick]) == 0
    quick.append("--data.num_probes=20")
    assert main(["fit", "--config", "mine.yaml", *quick]) == 0
    assert main(["preview", "--config", "mine.yaml", "--output", "sheet.png"]) == 0
    assert (own_project / "sheet.png").stat().st_size > 1000


def test_a_trained_model_recognises_photos_as_shown(own_project):
    quick = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    assert main(["fit", "--config", "mixed.yaml", *quick]) == 0
    (checkpoint,) = (own_project / "runs" / "mixed" / "version_0" / "checkpoints").glob("*.ckpt")
    photos = [f"photos/test/{name}/0.png" for name in ("cat", "dog")]
    command = [sys.executable, "recognise.py", str(checkpoint), *photos]
    said = subprocess.run(command, cwd=own_project, capture_output=True, text=True, check=True).stdout.splitlines()
    model = Classifier.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    for path, line in zip(photos, said, strict=True):
        pixels = np.asarray(ImageOps.fit(Image.open(path), (32, 32), Image.Resampling.BILINEAR), dtype=np.float32)
        with torch.no_grad():
            probability = model(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255).softmax(1)[0]
        assert line == f"{path}: class {int(probability.argmax())}, {100 * float(probability.max()):.0f} %"


def test_examples_are_short():
    for name, block in blocks("python").items():
        code = [
            line
            for line in block.splitlines()
            if line.strip() and not line.lstrip().startswith(("#", "import", "from"))
        ]
        assert len(code) <= 12, f"{name} has {len(code)} lines"


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", TEXT))))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_commands_shown_exist():
    files = set(re.findall(r"experiments/\S+?\.yaml", TEXT))
    assert files
    assert all((ROOT / file).is_file() for file in files)
    assert all(yaml.safe_load((ROOT / file).read_text()) for file in files)
    targets = set(re.findall(r"(?:`|^)make ([a-z]+)", TEXT, re.MULTILINE))
    help_text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"demo", "test", "help", "bench"} <= targets
    assert all(f"make {target} " in help_text for target in targets)


def test_python_dash_m_works():
    out = subprocess.run(
        [sys.executable, "-m", "synthreal", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in set(re.findall(r"^synthreal ([a-z]+)", TEXT, re.MULTILINE)):
        assert command in out
