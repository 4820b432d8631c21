from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.rendering import rasteriser
from synthreal.rendering.camera import Camera
from synthreal.rendering.lights import Lights, ambient
from synthreal.rendering.mesh import Material, build_mesh, merge_meshes
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.rendering.scene import Views

EVERY = ("rgba", "mask", "depth", "normals", "semantic")


@pytest.fixture(scope="module")
def meshes(rectangle, sphere, box):
    """A coloured soup, a ball, a textured rectangle before boxes."""
    rng = np.random.default_rng(0)
    corners = (rng.uniform(-0.4, 0.4, (60, 1, 3)) + rng.normal(0, 0.1, (60, 3, 3))).reshape(-1, 3).astype(np.float32)
    colours = rng.random((180, 3)).astype(np.float32)
    soup = build_mesh("soup", corners, np.arange(180).reshape(-1, 3), colours=colours)
    texture = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    parts = [
        rectangle(y=-0.2, texture=texture),
        box([-0.4] * 3, [0.0] * 3, (0.9, 0.2, 0.1)),
        box([0.1] * 3, [0.3] * 3),
    ]
    return [soup, sphere(subdivisions=3, specular=0.5), merge_meshes("parts", parts)]


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


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_coverage_by_hand(render, straight, rectangle, samples):
    # From the left edge of the picture to 5.3 pixels of 16, from its lower edge to 7.6.
    part = rectangle(-0.6, 5.3 / 16 - 0.5, -0.6, 7.6 / 16 - 0.5)
    mask = render([part], straight(), ("mask",), 16, samples)["mask"][0, 0]
    middles = (np.arange(samples) + 0.5) / samples
    right, top = (middles < 0.3).mean(), (middles < 0.6).mean()
    column = np.array([1] * 5 + [right] + [0] * 10)
    row = np.array([0] * 8 + [top] + [1] * 7)
    np.testing.assert_allclose(mask.numpy(), row[:, None] * column, atol=1e-6)


def test_coverage_of_a_disc_converges(render, straight):
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    rim = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1) * 0.4037
    faces = np.stack([np.full(200, 200), np.arange(200), np.roll(np.arange(200), -1)], 1)
    disc = build_mesh("disc", np.concatenate([rim, [[0, 0, 0]]]).astype(np.float32), faces)
    # Exact share of each pixel, from 64 × 64 points.
    points = ((np.arange(12 * 64) + 0.5) / (12 * 64) - 0.5) ** 2
    truth = (points[:, None] + points < 0.4037**2).reshape(12, 64, 12, 64).mean((1, 3))
    errors = []
    for samples in (1, 2, 3, 4):
        mask = render([disc], straight(), ("mask",), 12, samples)["mask"][0, 0].numpy()
        assert np.allclose(mask * samples**2, np.round(mask * samples**2), atol=1e-4)
        errors.append(np.abs(mask - truth).mean())
    assert errors[3] < errors[1] < errors[0] / 2
    assert errors[3] < errors[0] / 4


def over(rgba, background):
    return rgba[:, :3] + (1 - rgba[:, 3:]) * background


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_composites_have_no_fringe(render, cameras, meshes, sphere, samples):
    camera = cameras(4)
    for colour in ((1.0, 1.0, 1.0), (0.3, 0.6, 0.9)):
        rgba = render([sphere(subdivisions=2, colour=colour)], camera, samples=samples)["rgba"]
        assert samples == 1 or ((rgba[:, 3] > 0) & (rgba[:, 3] < 1)).any()
        composite = over(rgba, torch.tensor(colour).view(1, 3, 1, 1))
        torch.testing.assert_close(composite, torch.tensor(colour).view(1, 3, 1, 1).expand_as(composite))
    assert (rgba[:, :3] <= rgba[:, 3:] + 1e-6).all()


def test_depth_by_hand(render, straight, rectangle):
    near_and_far = merge_meshes("two", [rectangle(0.0, 0.5, y=-0.5), rectangle(y=0.25)])
    depth = render([near_and_far], straight(focal=3.0), ("depth",), 16)["depth"][0, 0]
    np.testing.assert_allclose(depth[:, 8:].numpy(), 1.5, rtol=1e-6)
    np.testing.assert_allclose(depth[:, :8].numpy(), 2.25, rtol=1e-6)
    # A slanted plane: depth along the axis, not along the ray; the nearest of a pixel's samples, 0 outside.
    slant = build_mesh(
        "slant",
        np.array([[-0.5, -0.5, -0.4], [0.5, 0.5, -0.4], [0.5, 0.5, 0.4], [-0.5, -0.5, 0.4]], np.float32),
        np.array([[0, 1, 2], [0, 2, 3]]),
    )
    pictures = render([slant], straight(), ("depth", "mask"), 16, 2)
    x = (np.arange(32) + 0.5) / 32 - 0.5
    along = 2 / (1 - x / 2)  # x / focal is y / depth, and depth is 2 + y
    expected = np.where(np.abs(along - 2) < 0.5, along, np.inf).reshape(16, 2).min(1)
    found = pictures["depth"][0, 0, 8].numpy()
    np.testing.assert_allclose(found, np.where(np.isfinite(expected), expected, 0), rtol=1e-5)
    assert torch.equal(pictures["depth"] == 0, pictures["mask"] == 0)


def test_semantic_is_the_class_colour_shaded_by_depth(render, straight, rectangle):
    places = ((-0.6, -0.8), (0.0, 0.0), (0.6, 0.4))
    mesh = merge_meshes("plates", [rectangle(x - 0.15, x + 0.15, -0.05, 0.05, y) for x, y in places])
    radius = np.sqrt(0.75**2 + 0.05**2 + 0.8**2)  # a corner of the first
    colour = torch.tensor([[0.8, 0.4, 0.2]])
    picture = render([mesh], straight(distance=4.0), ("semantic",), 40, class_colour=colour)["semantic"][0]
    np.testing.assert_allclose(picture[:, 20, 20], [0.6, 0.3, 0.15], rtol=1e-5)  # the middle of the sphere
    for x, y in places:
        shade = 1 - 0.5 * (y + radius) / (2 * radius)
        column = int((0.5 + x * 2 / (4 + y)) * 40)
        np.testing.assert_allclose(picture[:, 20, column], colour[0] * shade, rtol=1e-4)
    assert not picture[:, 5].any()
    # Half a pixel covered is half as bright; without class colours it is white.
    half = render([rectangle(-0.6, 0.0)], straight(), ("semantic",), 5, 2)["semantic"][0]
    assert (half[:, :, 2] == half[:, :, 0] / 2).all()
    assert (half[0] == half[1]).all()


def test_normals_are_unit_and_point_out(render, cameras, rays, meshes, sphere):
    camera = cameras(6)
    pictures = render([*meshes, sphere()], camera, ("normals", "mask"), 48, 2, mesh=torch.full((6,), 3))
    normals, seen = pictures["normals"], pictures["mask"][:, 0] > 0
    np.testing.assert_allclose(normals.norm(dim=1)[seen].numpy(), 1, atol=1e-5)
    assert not normals.permute(0, 2, 3, 1)[~seen].any()
    # In camera axes: the first is right of, the second above, the third towards the camera.
    front = render([sphere()], replace(camera, principal=torch.zeros(6, 2), focus=torch.zeros(6, 3)), ("normals",), 33)
    np.testing.assert_allclose(front["normals"][:, 2, 16, 16].numpy(), 1, atol=1e-3)
    assert (front["normals"][:, 0, 16, 20] > 0.1).all()
    assert (front["normals"][:, 1, 12, 16] > 0.1).all()


def test_flat_faces_have_one_normal_and_smooth_ones_bend(render, straight, sphere):
    ball = sphere(subdivisions=1)
    flat, smooth = (
        render([ball], straight(focal=1.5), ("normals",), 48, 1, bent)["normals"][0].permute(1, 2, 0).reshape(-1, 3)
        for bent in (True, False)
    )
    inside = smooth.norm(dim=1) > 0
    assert len(torch.unique((flat[inside] * 1e3).round(), dim=0)) <= 40  # half of the 80 faces
    assert len(torch.unique((smooth[inside] * 1e3).round(), dim=0)) > 400
    assert (flat[inside] * smooth[inside]).sum(1).mean() > 0.95


def test_both_sides_of_a_face_are_drawn_alike(render, straight, rectangle, shine):
    sun = shine(1, ((0.0, -1.0, 0.0, 0.0), (0.5, 0.5, 0.5)))
    surface = rectangle()
    back = replace(surface, faces=surface.faces[:, ::-1])
    inverted = replace(back, normals=-surface.normals)
    pictures = [render([mesh], straight(), EVERY, lights=sun) for mesh in (surface, back, inverted)]
    for other in pictures[1:]:
        for name in EVERY:
            torch.testing.assert_close(other[name], pictures[0][name])
    torch.testing.assert_close(pictures[0]["normals"][0, :, 5, 5], torch.tensor([0.0, 0.0, 1.0]))


def test_normals_near_an_outline_keep_their_side(render, straight, sphere, shine):
    """A coarse ball lit from the right is bright up to its right outline."""
    sun = shine(1, ((1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    grey, _, _, alpha = render([sphere(subdivisions=1)], straight(focal=1.9), size=64, lights=sun)["rgba"][0]
    right = alpha.clone()
    right[:, :48] = 0
    assert right.sum() > 300
    assert grey[right > 0].min() > 0.4
    assert grey[:, :16].max() < 0.2


@pytest.mark.parametrize("fill", [0.5, 0.8, 1.0])
def test_framed_objects_fill_their_pictures(box, cameras, sphere, fill):
    long = box([0.1, -0.05, 0.2], [0.5, 0.05, 0.3])
    low = box([-0.45, -0.4, -0.5], [-0.1, 0.3, -0.45])
    packed = pack_meshes([long, low, sphere(subdivisions=3)])
    some = Views(torch.arange(9) % 3, cameras(9, seed=8), ambient(torch.ones(9, 3)))
    draw = Rasteriser(packed, 96, 2)
    framed = draw.frame(some, fill)
    mask = draw.render(framed, ("mask",))["mask"][:, 0] > 0
    columns, rows = mask.any(1), mask.any(2)
    for line, other in zip(columns, rows, strict=True):
        sides = []
        for covered in (line, other):
            at = covered.nonzero()[:, 0]
            first, end = int(at[0]), int(at[-1]) + 1
            sides.append(end - first)
            assert abs(first + end - 96) <= 2  # in the middle
        assert abs(max(sides) - 96 * fill) <= 2
    for name in ("azimuth", "elevation", "tilt", "distance", "focus"):
        assert torch.equal(getattr(framed.camera, name), getattr(some.camera, name))
    assert torch.equal(draw.frame(framed, fill).camera.focal, framed.camera.focal)


def test_depth_of_faces_seen_from_their_edge_is_that_of_the_mesh(render, around):
    """Rounding shows such a face in some pixels; its depth there is one that it has."""
    corner = np.array([[0, -0.5, -0.5], [0, 0.5, -0.5], [0, 0.5, 0.5], [0, -0.5, 0.5]], np.float32)
    draw = torch.Generator().manual_seed(0)
    for plane in (corner, np.roll(corner, 1, 1), np.roll(corner, 2, 1)):
        sheet = build_mesh("sheet", plane, np.array([[0, 1, 2], [0, 2, 3]]), colours=np.eye(4, 3, dtype=np.float32))
        azimuth, tilt = torch.rand(2, 3000, generator=draw) * 360
        level = around(azimuth, 0.0, tilt, distance=2.0)
        upright = around(0.0, torch.rand(3000, generator=draw) * 180 - 90, tilt, distance=2.0)
        for camera in (level, upright):
            pictures = render([sheet], camera, ("rgba", "depth"), 32)
            depth = pictures["depth"][pictures["rgba"][:, 3:] > 0]
            assert len(depth) == 0 or (depth.min() > 2 - 0.75 and depth.max() < 2 + 0.75)
            assert pictures["rgba"].min() >= 0


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
