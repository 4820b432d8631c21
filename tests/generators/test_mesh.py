"""Rendered models: a batch is its samples, and each variation is a switch with columns of its own."""

import copy
import pickle

import numpy as np
import pytest
import torch

from synthreal.batch import Domain, Draws
from synthreal.datasets.pictures import Noise
from synthreal.generators.lighting import BackgroundLight, RandomLight
from tests.generators.mesh_parts import (
    AROUND,
    CLASSES,
    COLOURS,
    CPU,
    EVERYTHING,
    SIZE,
    WHITE,
    draws_of,
    images_of,
    make,
    rows,
    same,
)

VARIANTS = {
    "plain": {},
    "everything": EVERYTHING,
    "background light": {"background": Noise(5, 32), "lighting": BackgroundLight(), "views": AROUND},
    "filling": {"views": AROUND, "fill": 0.9, "flat": True},
}


@pytest.mark.parametrize("variant", ["plain", "everything", "filling", "background light"])
def test_a_batch_is_its_samples_whoever_makes_them(variant):
    generator = images_of(**VARIANTS[variant])
    draws = draws_of(generator, 37)
    batch = generator.generate(draws, CPU)
    for i in range(37):
        alone = generator.generate(rows(draws, slice(i, i + 1)), CPU)
        for key, value in batch.items():
            assert torch.equal(value[i : i + 1], alone[key]), key
    for rank in range(2):
        share = generator.generate(rows(draws, slice(rank, None, 2)), CPU)
        assert all(torch.equal(value[rank::2], share[key]) for key, value in batch.items())
    assert same(batch, generator.generate(draws, CPU))


def test_copies_make_the_same_images_and_load_the_models_once():
    generator = images_of(**EVERYTHING)
    twin = copy.deepcopy(generator)
    draws = draws_of(generator, 5)
    expected = generator.generate(draws, CPU)
    assert same(expected, twin.generate(draws, CPU))
    assert same(expected, copy.deepcopy(generator).generate(draws, CPU))
    assert generator.name(draws) == twin.name(draws)
    assert generator.meshes.loaded == 1
    assert same(expected, pickle.loads(pickle.dumps(generator)).generate(draws, CPU))


def test_what_a_batch_holds():
    generator = images_of(**EVERYTHING)
    draws = draws_of(generator, 50)
    batch = generator.generate(draws, CPU)
    assert set(batch) == {
        *("image", "label", "domain", "bucket", "parameters", "mask", "box", "viewpoint"),
        *("depth", "normals", "semantic"),
    }
    assert batch["image"].shape == batch["normals"].shape == batch["semantic"].shape == (50, 3, SIZE, SIZE)
    assert batch["mask"].shape == batch["depth"].shape == (50, 1, SIZE, SIZE)
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert torch.equal(batch["label"], draws["parameters"][:, 0].long())
    assert torch.equal(batch["bucket"], generator.space.assign(batch["parameters"]))
    assert torch.equal(batch["viewpoint"], draws["parameters"][:, 1:4])
    assert (batch["domain"] == Domain.SYNTHETIC).all()


def test_maps_come_only_when_asked_for():
    settings = {"views": AROUND, "vary_model": False}
    everything = images_of(outputs=["semantic", "depth", "normals"], **settings)
    draws = draws_of(everything, 3)
    maps = everything.generate(draws, CPU)
    plain = images_of(**settings).generate(draws, CPU)
    assert maps.keys() - plain.keys() == {"depth", "normals", "semantic"}
    for name in ("depth", "normals", "semantic"):
        alone = images_of(outputs=[name], **settings).generate(draws, CPU)
        assert alone.keys() - plain.keys() == {name}
        assert torch.equal(alone[name], maps[name])
        assert torch.equal(alone["image"], plain["image"])


ONE_VIEW = ("class", "azimuth", "elevation", "tilt", "distance")
LIGHT = ("light azimuth", "light elevation", "light strength", "ambient", "warmth")
SWITCHES = [
    ({"vary_model": True}, ("model",)),
    ({"texture": Noise(5, 32)}, ("texture",)),
    ({"background": Noise(5, 32)}, ("background",)),
    ({"focal_length": (1.2, 1.7)}, ("focal length",)),
    ({"shift": 0.2}, ("shift right", "shift down")),
    ({"focal_point": 0.3}, ("focal point x", "focal point y", "focal point z")),
    ({"close_shot": 0.1}, ()),
    ({"occlusion": 0.7}, ("occluder size", "occluder right", "occluder down")),
    ({"lighting": RandomLight()}, LIGHT),
    ({"views": AROUND}, ()),
    ({"fill": 0.8}, ()),
    ({"flat": True, "supersampling": 1, "own_surface": 0.5, "outputs": ["depth"]}, ()),
]


@pytest.mark.parametrize(("settings", "columns"), SWITCHES, ids=lambda x: ",".join(x))
def test_a_switch_adds_its_columns_and_each_changes_the_image(settings, columns):
    generator = images_of(**{"vary_model": False, "own_surface": 0.0} | settings)
    assert generator.space.columns == ONE_VIEW + columns
    width = len(generator.space.columns)
    low, high = (generator.space.place(torch.zeros(1).long(), torch.full((1, width), x)) for x in (0.3, 1.0))
    varied = [(i, column) for i, column in enumerate(generator.space.columns) if low[0, i] != high[0, i]]
    assert {column for _, column in varied} == {*columns, *(ONE_VIEW[1:] if "views" in settings else ())}
    for i, column in varied:
        u = low.repeat(2, 1)
        u[1, i] = high[0, i]
        draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.zeros(2).long())
        image = generator.generate(draws, CPU)["image"]
        assert (image[0] - image[1]).abs().max() > 0.02, column


def test_everything_at_once_in_order():
    generator = images_of(**EVERYTHING)
    variations = ("model", "texture", "background", "focal length", "shift right", "shift down")
    focus = ("focal point x", "focal point y", "focal point z")
    occluder = ("occluder size", "occluder right", "occluder down")
    assert generator.space.columns == ONE_VIEW + variations + focus + occluder + LIGHT
    assert generator.space.shape == (3, 4 * 2)
    assert generator.classes == CLASSES
    assert generator.num_classes == 3


@pytest.mark.parametrize(
    ("settings", "neutral"),
    [
        ({"vary_model": True}, {"model": 0}),
        ({"focal_length": (1.2, 1.6)}, {"focal_length": 1.6}),
        ({"shift": 0.2}, {"shift_right": 0, "shift_down": 0}),
        ({"focal_point": 0.2}, {"focal_point_x": 0, "focal_point_y": 0, "focal_point_z": 0}),
        ({"occlusion": 0.5}, {"occluder_size": 0}),
        (
            {"lighting": RandomLight((0, 80), (0, 1), (0, 1))},
            {"light_azimuth": 320, "light_elevation": 50, "light_strength": 0.55, "ambient": 0.45, "warmth": 0},
        ),
    ],
    ids=lambda x: ",".join(x),
)
def test_a_variation_at_rest_is_one_that_is_off(settings, neutral):
    off, on = make(images_of(vary_model=False)), make(images_of(**{"vary_model": False} | settings), **neutral)
    assert torch.equal(off["mask"], on["mask"])
    torch.testing.assert_close(on["image"], off["image"], atol=1e-5, rtol=0)


def test_the_seed_decides_only_what_parameters_leave_open():
    for settings in ({}, {"occlusion": 0.5, "shift": 0.1, "lighting": RandomLight()}, {"fill": 1}):
        assert same(make(images_of(**settings), 1), make(images_of(**settings), 2**63 - 2))
    for settings in ({"background": Noise(5, 32)}, {"texture": Noise(5, 32)}):
        one, other = make(images_of(**settings), 1), make(images_of(**settings), 2)
        assert torch.equal(one["mask"], other["mask"])
        assert (one["image"] - other["image"]).abs().max() > 0.05


@pytest.mark.parametrize("label", range(3))
@pytest.mark.parametrize(("place", "model"), [(0, 0), (0.49, 0), (0.5, 1), (0.999, 1), (1, 1)])
def test_the_model_of_the_class_is_drawn(label, place, model):
    generator = images_of(lighting=WHITE)
    batch = make(generator, **{"class": label, "model": place})
    draws = Draws(bucket=batch["bucket"], parameters=batch["parameters"])
    assert batch["label"].tolist() == [label]
    assert generator.name(draws) == {"model": [f"{CLASSES[label]}_{model}"]}
    solid = batch["image"][0, :, batch["mask"][0, 0] == 1]
    np.testing.assert_allclose(solid, np.tile(COLOURS[label, model][:, None], solid.shape[1]), atol=1e-5)


def test_the_first_model_alone():
    generator = images_of(vary_model=False, lighting=WHITE)
    draws = draws_of(generator, 20)
    names = [f"{CLASSES[label]}_0" for label in draws["parameters"][:, 0].int()]
    assert generator.name(draws) == {"model": names}
