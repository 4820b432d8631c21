"""A second batch copies nothing from or to the host, where each copy would wait for a GPU.

The meta device stands in for a GPU: whatever reads a CPU tensor there would be a copy on a GPU.
"""

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from synthreal.batch import LabelledImages
from synthreal.datasets.pictures import Noise
from synthreal.generators import Augment, CutPaste, Glyphs, Painted, cutpaste, mesh
from synthreal.generators.lighting import BackgroundLight, PanoramaLight, RandomLight
from tests.generators.mesh_parts import AROUND, CPU, EVERYTHING, draws_of, images_of, same
from tests.generators.test_lighting import write_panorama

META = torch.device("meta")
# Python numbers that become tensors, as a list of indices does, and tensors that are read as numbers.
HOST = {"aten::lift_fresh", "aten::_local_scalar_dense"}


class HostCopies(TorchDispatchMode):
    """Keeps the names of operations that go between the host and `device`."""

    def __init__(self, device):
        super().__init__()
        self.device, self.found = device, []

    def __torch_dispatch__(self, operation, types, args=(), given=None):
        given = given or {}
        made = operation(*args, **given)
        tensors = [leaf for leaf in tree_leaves((args, given, made)) if isinstance(leaf, torch.Tensor)]
        if operation.name() in HOST or any(tensor.device != self.device for tensor in tensors):
            self.found.append(operation.name())
        return made


class Blank:
    """Stands in for the rasteriser, whose kernels have no meta device: pictures without memory."""

    def __init__(self, meshes, image_size, supersampling, flat):
        self.size = image_size

    def render(self, views, outputs):
        views.camera.rotation()
        channels = {"rgba": 4, "depth": 1, "normals": 3, "semantic": 3}
        return {k: torch.empty(len(views.mesh), channels[k], self.size, self.size, device=META) for k in outputs}

    def frame(self, views, fill):
        return replace(views, camera=views.camera.framing(views.camera.focus.new_empty(len(views.mesh), 4), fill))


def copies(generator, device):
    """Copies in the second batch."""
    draws = {key: table.to(device) for key, table in draws_of(generator, 7).items()}
    generator.generate(draws, device)
    with HostCopies(device) as host:
        generator.generate(draws, device)
    return host.found


@pytest.fixture
def panorama(tmp_path):
    write_panorama(tmp_path / "spot.hdr", [(7, 15, (9, 9, 9))])
    return PanoramaLight(str(tmp_path))


@pytest.fixture
def blank(monkeypatch):
    monkeypatch.setattr(mesh, "Rasteriser", Blank)
    # It reads the first batch, of which the meta device has nothing.
    monkeypatch.setattr(cutpaste, "_check_foreground", lambda made, name: None)


MESHES = {
    "random light": EVERYTHING,
    "background light": EVERYTHING | {"lighting": BackgroundLight()},
    "close": {"views": AROUND, "close_shot": 0.1, "lighting": RandomLight()},
    "fill": {"views": AROUND, "fill": 0.9, "background": Noise(3, 32)},
}


@pytest.mark.parametrize("settings", MESHES.values(), ids=MESHES)
def test_a_second_batch_of_models_stays_on_the_device(blank, settings):
    assert copies(images_of(**settings), META) == []


def test_panoramas_stay_on_the_device(blank, panorama):
    assert copies(images_of(**EVERYTHING | {"lighting": panorama}), META) == []


@pytest.mark.parametrize("augment", [False, True])
def test_pasting_stays_on_the_device(blank, augment):
    foreground = images_of(views=AROUND, lighting=RandomLight())
    assert copies(CutPaste(foreground, Noise(3, 32), 40, augment=augment), META) == []


def test_digits_stay_on_the_device():
    assert copies(Glyphs(), META) == []
    assert copies(Painted(Glyphs(), Noise(3, 32)), META) == []


def test_no_list_is_made_a_tensor_where_kernels_run(panorama):
    # On a CPU its copies do not show, but tensors made of lists and read as numbers do.
    assert copies(images_of(**EVERYTHING | {"lighting": panorama}), CPU) == []
    assert copies(images_of(views=AROUND, fill=0.9), CPU) == []


def test_transformed_images_make_no_tensors_of_lists():
    generator = Augment(3)
    images = torch.zeros(6, 1, 8, 8, dtype=torch.uint8)
    generator.bind(LabelledImages(images, torch.arange(6) % 3, ("a", "b", "c")))
    assert copies(generator, CPU) == []


def test_copies_of_a_light_load_their_tables_onto_the_device_themselves(panorama):
    generator = images_of(**EVERYTHING | {"lighting": panorama})
    draws = draws_of(generator, 5)
    expected = generator.generate(draws, CPU)
    parameters = {axis.columns[0]: torch.zeros(2, device=META) for axis in panorama.axes}
    assert panorama.lights(parameters, torch.zeros(2, 3, 4, 4, device=META)).irradiance.is_meta
    for twin in (copy.deepcopy(panorama), pickle.loads(pickle.dumps(panorama))):
        assert not any(table.is_meta for table in tree_leaves(vars(twin)) if isinstance(table, torch.Tensor))
        assert same(expected, images_of(**EVERYTHING | {"lighting": twin}).generate(draws, CPU))


@pytest.mark.parametrize(
    "work",
    [
        lambda: torch.ones(3, device=META).new_tensor([1.0, 2.0]),
        lambda: torch.ones(2, 3, device=META)[:, [0, 2]],
        lambda: torch.ones(3).to(META),
        lambda: torch.tensor([1.0], device=META),
    ],
)
def test_each_kind_of_copy_is_seen(work):
    with HostCopies(META) as host:
        work()
    assert host.found
    with HostCopies(CPU) as host:
        float(torch.ones(()))
    assert "aten::_local_scalar_dense" in host.found
