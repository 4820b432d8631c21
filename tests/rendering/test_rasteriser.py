"""Pictures by the rasteriser do not depend on batch, order or chunks; any camera gives finite ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.rendering import rasteriser
from synthreal.rendering.camera import Camera
from synthreal.rendering.lights import Lights
from synthreal.rendering.mesh import Material, build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.rendering.scene import Views

EVERY = ("rgba", "mask", "depth", "normals", "semantic")


@pytest.fixture(scope="module")
def views(cameras):
    """Random views of three meshes under random lights."""

    def make(count, seed=0):
        draw = torch.Generator().manual_seed(seed)
        place = torch.randn(count, 2, 4, generator=draw)
        place[..., 3] = (place[..., 3] > 0).float()
        colours = torch.rand(count, 2, 3, generator=draw)
        return Views(
            mesh=torch.arange(count) % 3,
            camera=cameras(count, seed),
            lights=Lights(torch.rand(count, 9, 3, generator=draw) * 0.1, place, colours),
            tint=torch.rand(count, 3, generator=draw),
            texture=torch.arange(count) % 4 // 3 - 1,
            texture_repeat=torch.rand(count, generator=draw) * 4,
            class_colour=torch.rand(count, 3, generator=draw),
        )

    return make


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in EVERY)


def test_a_batch_is_its_rows(meshes, views):
    some = views(9)
    draw = Rasteriser(pack_meshes(meshes), 32)
    batch = draw.render(some, EVERY)
    single = [draw.render(some.part(slice(i, i + 1)), EVERY) for i in range(9)]
    assert same(batch, {name: torch.cat([row[name] for row in single]) for name in EVERY})
    assert all(picture.std() > 0.01 for picture in batch.values())
    # Neither the other rows nor the other meshes count.
    alone = Rasteriser(pack_meshes(meshes[1:2]), 32).render(
        replace(some.part(slice(1, 2)), mesh=torch.zeros(1, dtype=torch.int64)), EVERY
    )
    assert same(alone, single[1])
    assert not same(draw.render(views(9, seed=1), EVERY), batch)


def test_parts_of_a_batch_change_nothing(meshes, views, monkeypatch):
    draw, some = Rasteriser(pack_meshes(meshes), 24), views(7)
    whole = draw.render(some, EVERY)
    drawn = []
    launch = Rasteriser._draw
    monkeypatch.setattr(Rasteriser, "_draw", lambda self, part, *rest: (drawn.append(part), launch(self, part, *rest)))
    monkeypatch.setattr(rasteriser, "_CHUNK_BYTES", 3 * (8 * 48**2 + 12 * max(len(m.vertices) for m in meshes)))
    assert same(draw.render(some, EVERY), whole)
    monkeypatch.setattr(rasteriser, "_CHUNK_BYTES", 1)
    assert same(draw.render(some, EVERY), whole)
    assert [len(part.mesh) for part in drawn] == [3, 3, 1] + [1] * 7


@pytest.mark.parametrize("flat", [True, False])
def test_order_of_faces_changes_no_bit(meshes, views, flat):
    some = views(12)
    pictures = Rasteriser(pack_meshes(meshes), 48, flat=flat).render(some, EVERY)
    for seed in range(2):
        shuffled = []
        for mesh in meshes:
            order = np.random.default_rng(seed).permutation(len(mesh.faces))
            shuffled.append(replace(mesh, faces=mesh.faces[order], material=mesh.material[order]))
        assert same(Rasteriser(pack_meshes(shuffled), 48, flat=flat).render(some, EVERY), pictures)


@pytest.mark.parametrize("turned", [False, True])
def test_faces_that_meet_on_samples_have_no_order(render, straight, turned):
    # The diagonal of a square runs through the middle of pixels, which both halves cover.
    corner = np.array([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]], np.float32)
    faces, sides = np.array([[0, 1, 2], [0, 2, 3]]), np.array([0, 1])
    order = [1, 0] if turned else [0, 1]
    two = (Material((1.0, 0.0, 0.0)), Material((0.0, 0.0, 1.0)))
    square = build_mesh("square", corner, faces[order], two, material=sides[order])
    red, _, blue, alpha = render([square], straight(), size=16)["rgba"][0]
    assert (alpha == 1).all()  # no crack
    assert (red + blue == 1).all()
    assert (red[range(16), range(15, -1, -1)] == 1).all()  # the first, by its vertices, has the edge


def test_no_views_no_pictures(meshes, views):
    draw = Rasteriser(pack_meshes(meshes), 16)
    assert draw.render(views(3).part(slice(0)), EVERY)["rgba"].shape == (0, 4, 16, 16)
    assert len(draw.frame(views(3).part(slice(0))).mesh) == 0


def test_only_what_is_asked_for_is_returned(meshes, views):
    draw, some = Rasteriser(pack_meshes(meshes), 24), views(5)
    whole = draw.render(some, EVERY)
    channels = {"rgba": 4, "mask": 1, "depth": 1, "normals": 3, "semantic": 3}
    assert {name: tuple(picture.shape) for name, picture in whole.items()} == {
        name: (5, count, 24, 24) for name, count in channels.items()
    }
    assert set(draw.render(some)) == {"rgba"}
    for wanted in (("mask",), ("depth",), ("normals",), ("semantic",), ("semantic", "mask"), ("depth", "rgba"), ()):
        pictures = draw.render(some, wanted)
        assert tuple(pictures) == wanted
        assert all(torch.equal(pictures[name], whole[name]) for name in wanted)
    assert torch.equal(whole["mask"], whole["rgba"][:, 3:])


def test_later_pictures_leave_earlier_ones_alone(meshes, views):
    draw, some = Rasteriser(pack_meshes(meshes), 24), views(3)
    first = draw.render(some, EVERY)
    kept = {name: picture.clone() for name, picture in first.items()}
    draw.render(views(3, seed=5), EVERY)
    assert same(first, kept)


def test_each_row_has_its_own_mesh(render, straight, rectangle):
    colours = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    three = [rectangle(colour=colour) for colour in colours]
    order = torch.tensor([2, 0, 1, 1])
    picture = render(three, straight(4), mesh=order)["rgba"][:, :3]
    torch.testing.assert_close(picture, torch.tensor(colours)[order][:, :, None, None].expand(4, 3, 32, 32))


def test_sizes_out_of_range(meshes):
    packed = pack_meshes(meshes)
    for size in (0, -1, 4097):
        with pytest.raises(ConfigError, match=f"image_size is 1 to 4096 pixels, not {size}"):
            Rasteriser(packed, size)
    for samples in (0, 5):
        with pytest.raises(ConfigError, match=f"supersampling is 1 to 4 .* not {samples}"):
            Rasteriser(packed, 16, samples)
    assert Rasteriser(packed, 1).device == torch.device("cpu")


@settings(max_examples=60)
@given(
    angles=st.tuples(st.floats(-400, 400), st.floats(-90, 90), st.floats(-400, 400)),
    distance=st.floats(0, 1e4),
    focal=st.floats(0.01, 1e3),
    shift=st.tuples(*[st.floats(-2, 2)] * 2),
    focus=st.tuples(*[st.floats(-1, 1)] * 3),
    lamp=st.tuples(*[st.floats(-2, 2)] * 3, st.sampled_from([0.0, 1.0])),
    samples=st.integers(1, 3),
)
def test_any_camera_gives_finite_pictures(meshes, angles, distance, focal, shift, focus, lamp, samples):
    single = [torch.full((3,), float(value)) for value in (*angles, distance, focal)]
    camera = Camera(*single, torch.tensor([shift] * 3), torch.tensor([focus] * 3))
    lights = Lights(torch.full((3, 1, 3), 0.1), torch.tensor([[lamp]] * 3), torch.ones(3, 1, 3))
    pictures = Rasteriser(pack_meshes(meshes), 12, samples).render(Views(torch.arange(3), camera, lights), EVERY)
    assert all(picture.isfinite().all() for picture in pictures.values())
    for name in ("rgba", "mask", "semantic"):
        assert pictures[name].min() >= 0
        assert pictures[name].max() <= 1 + 1e-6
    assert (pictures["normals"].norm(dim=1) <= 1 + 1e-5).all()
    assert pictures["depth"].min() >= 0
