"""Maps of descriptors against NumPy, of known sources, of networks that have collapsed; and the figure itself."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from sklearn.decomposition import FastICA

from synthreal.callbacks import DescriptorMaps, descriptors
from synthreal.callbacks.descriptors import projections
from synthreal.datamodules import MixedDataModule
from synthreal.datamodules.foreground import Phase
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Glyphs
from synthreal.plots import descriptor_maps
from synthreal.rendering.palette import class_colours
from tests.modules.gmcml_parts import CLASSES, Codes, data, gmcml, trainer


class Seen(Codes):
    """Tells from where."""

    def __init__(self, column):
        super().__init__()
        self.column = column

    def generate(self, draws, device):
        viewpoint = torch.zeros(len(draws["bucket"]), 3)
        viewpoint[:, self.column] = draws["parameters"][:, 1]
        return {**super().generate(draws, device), "viewpoint": viewpoint}


def quiet(**settings):
    options = {"logger": CSVLogger(".", name="", version="run"), "max_steps": 3, "callbacks": [DescriptorMaps()]}
    return trainer(**{**options, **settings})


def gallery_of(module, held):
    made = held.phases[-1].generator.generate(held.gallery.draws, torch.device("cpu"))
    with torch.no_grad():
        seen = module.eval().network.recognise(made["image"], made["image"])
    return seen.descriptor.double().numpy(), made


def up_to_signs(found, wanted, **tolerance):
    """Columns are alike, or each other's negatives."""
    signs = np.sign((found * wanted).sum(0))
    np.testing.assert_allclose(found * signs, wanted, **tolerance)


@pytest.fixture
def drawn(monkeypatch):
    """What each figure is drawn of."""
    seen = []
    monkeypatch.setattr(descriptors, "descriptor_maps", lambda *given: seen.append(given) or descriptor_maps(*given))
    return seen


def pictures():
    return [path.stem for path in Path().rglob("*.png")]


def test_places_are_those_of_the_gallery_s_descriptors(drawn):
    module, held = gmcml(), data(eval_batch_size=7)
    quiet().fit(module, datamodule=held)
    ((maps, label, classes, angle),) = drawn
    descriptor, made = gallery_of(module, held)
    np.testing.assert_array_equal(label, made["label"].numpy())
    assert classes == CLASSES
    assert angle is None
    centred = descriptor - descriptor.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    (first, principal), (second, independent) = maps.items()
    assert first == f"PCA, {100 * (sizes[:2] ** 2).sum() / (sizes**2).sum():.0f} % of the variance"
    assert second.startswith("ICA")
    up_to_signs(principal, left[:, :2] * sizes[:2], atol=1e-5)
    # both are the same plane, whitened and turned
    np.testing.assert_allclose(np.cov(independent, rowvar=False, bias=True), np.eye(2), atol=1e-5)
    turn = np.linalg.lstsq(left[:, :2] * len(left) ** 0.5, independent, rcond=None)[0]
    np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-5)


def test_the_figure_is_in_the_run_s_folder_after_training_and_after_a_test():
    module, held = gmcml(), data(tests={"poses": Codes(poses=7)})
    quiet().fit(module, datamodule=held)
    assert [str(path) for path in Path().rglob("*.png")] == ["run/figures/descriptors.png"]
    quiet(logger=CSVLogger(".", name="", version="tested")).test(module, datamodule=held, verbose=False)
    for run in ("run", "tested"):
        with Image.open(f"{run}/figures/descriptors.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5, "blank"


@pytest.mark.parametrize(("column", "name"), [(0, "azimuth"), (2, "tilt")])
def test_views_that_differ_colour_a_second_row(column, name, drawn):
    held = data(Phase(Seen(column), 40))
    quiet().fit(gmcml(), datamodule=held)
    ((_, _, _, (found, values)),) = drawn
    assert found == name
    np.testing.assert_allclose(values, held.gallery.draws["parameters"][:, 1])


def test_views_that_are_all_the_same_do_not(drawn):
    quiet().fit(gmcml(), datamodule=data(Phase(Seen(1), 40)))  # elevation
    assert drawn[0][3] is None


@pytest.mark.parametrize("weight", [0.0, float("nan")])
def test_a_network_that_has_collapsed_warns_and_ends_well(weight):
    module = gmcml(optimizer_args={"lr": 0.0})
    torch.nn.init.constant_(module.network.classifier.first.weight, weight)
    with pytest.warns(UserWarning, match="descriptors do not differ along two axes"):
        quiet(log_every_n_steps=100).fit(module, datamodule=data())
    assert pictures() == []


@pytest.mark.parametrize("size", [1, 2])
def test_a_gallery_that_is_too_small_warns(size):
    with pytest.warns(UserWarning, match="descriptors do not differ along two axes"):
        quiet().fit(gmcml(), datamodule=data(gallery_size=size))


def test_three_images_are_enough():
    quiet().fit(gmcml(), datamodule=data(gallery_size=3))
    assert pictures() == ["descriptors"]


def test_other_modules_and_other_data_are_refused():
    mixed = MixedDataModule(Digits(16, 200), Glyphs(16), batch_size=8)
    with pytest.raises(ConfigError, match=r"DescriptorMaps follows a GMCML on a Fore.*, not a GMCML on a Mixed"):
        quiet().fit(gmcml(), datamodule=mixed)


# Projections


def test_ica_finds_the_sources_that_were_mixed():
    random = np.random.default_rng(0)
    sources = random.uniform(-1, 1, (4000, 2))
    found = projections(sources @ random.standard_normal((2, 9)) + random.standard_normal(9))
    independent = found["ICA"]
    correlation = np.abs(np.corrcoef(independent.T, sources.T)[:2, 2:])
    correlation = correlation[np.argsort(correlation[:, 1])]
    np.testing.assert_allclose(correlation, np.eye(2), atol=0.05)
    principal = np.abs(np.corrcoef(next(iter(found.values())).T, sources.T)[:2, 2:])
    assert principal.max() < 0.99, "PCA alone would do"


def test_the_title_says_that_ica_did_not_converge(monkeypatch):
    monkeypatch.setattr(descriptors, "FastICA", partial(FastICA, max_iter=1, tol=1e-12))
    table = np.random.default_rng(1).standard_normal((200, 6))
    assert list(projections(table))[1] == "ICA, not converged"  # and a warning would fail the test
    assert all(np.isfinite(places).all() for places in projections(table).values())


def test_maps_are_always_the_same():
    table = np.random.default_rng(2).standard_normal((600, 550))  # a size at which PCA is randomised
    for one, other in zip(projections(table).values(), projections(table).values(), strict=True):
        np.testing.assert_array_equal(one, other)


# The figure itself


def test_a_column_for_each_map_and_a_colour_for_each_class():
    random = np.random.default_rng(0)
    maps = {"one": random.random((6, 2)), "other": random.random((6, 2))}
    label = np.array([0, 2, 1, 2, 0, 0])
    figure = descriptor_maps(maps, label, CLASSES)
    assert [axis.get_title() for axis in figure.axes] == ["one", "other"]
    for axis, places in zip(figure.axes, maps.values(), strict=True):
        (dots,) = axis.collections
        np.testing.assert_allclose(dots.get_offsets(), places)
        np.testing.assert_allclose(dots.get_facecolor()[:, :3], class_colours(3)[label], atol=1e-6)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(CLASSES)


@pytest.mark.parametrize(("largest", "scale"), [(360, "twilight"), (15, "viridis")])
def test_a_second_row_for_angles(largest, scale):
    places, label = np.random.default_rng(0).random((5, 2)), np.zeros(5, dtype=np.int64)
    values = np.linspace(0, largest, 5)
    figure = descriptor_maps({"one": places}, label, ("a",), ("tilt", values))
    above, below, bar = figure.axes
    assert bar.get_ylabel() == "tilt [°]"
    (dots,) = below.collections
    np.testing.assert_allclose(dots.get_offsets(), places)
    np.testing.assert_allclose(dots.get_array(), values)
    assert dots.get_cmap().name == scale
    assert above.get_title() == "one"
