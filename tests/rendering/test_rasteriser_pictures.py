"""The rasteriser's coverage, depth, normals, semantic maps and framing, by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synthreal.rendering.lights import ambient
from synthreal.rendering.mesh import build_mesh, merge_meshes
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.rendering.scene import Views

EVERY = ("rgba", "mask", "depth", "normals", "semantic")


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


@pytest.mark.parametrize("focus", [(0.0, -0.7, 0.0), (0.9, -0.5, 0.6), (-1.2, 0.4, -0.3)])
def test_semantic_is_shaded_by_depth_beside_the_focal_point_too(cameras, render, rays, sphere, focus):
    camera = replace(cameras(1, seed=3), principal=torch.zeros(1, 2), focus=torch.tensor([focus]))
    eye, ray = rays(camera, 96)
    back = -ray.mean((0, 1, 2))  # of depth 1: the rays of a whole picture lie about its axis
    middle = eye[0] @ back
    assert middle < 0.98 * np.linalg.norm(eye)
    pictures = render([sphere(0.5)], replace(camera, focal=torch.tensor([0.3])), ("semantic", "depth"), 96)
    shade, depth = pictures["semantic"][0, 0].numpy(), pictures["depth"][0, 0].numpy()
    seen = depth > 0
    np.testing.assert_allclose(shade[seen], 1 - 0.5 * (depth[seen] - middle + 0.5), atol=2e-4)
    assert shade.max() > 0.99  # the near end of the ball


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
