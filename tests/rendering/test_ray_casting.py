"""The rasteriser against rays, which Warp's bounding volume hierarchy casts and float64 formulas complete."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
import warp as wp

from synthreal.rendering.mesh import build_mesh, in_unit_box, smooth_normals

NEAR = 0.01
SIZE = 40
GATES = {"mask": 1e-3, "depth": 1e-3, "normals": 1e-3}


@wp.kernel
def cast(
    mesh: wp.uint64, origin: wp.array(dtype=wp.vec3), way: wp.array(dtype=wp.vec3), face: wp.array(dtype=wp.int32)
):
    i = wp.tid()
    hit = wp.mesh_query_ray(mesh, origin[i], way[i], 1.0e6)
    face[i] = wp.where(hit.result, hit.face, -1)


def first_faces(mesh, origin, ray):
    """Which face each ray meets first; -1 for none."""
    points = wp.array(mesh.vertices, dtype=wp.vec3, device="cpu")
    indices = wp.array(mesh.faces.astype(np.int32).ravel(), dtype=wp.int32, device="cpu")
    tree = wp.Mesh(points, indices, bvh_constructor="sah")
    rays = [wp.array(table.reshape(-1, 3).astype(np.float32), dtype=wp.vec3, device="cpu") for table in (origin, ray)]
    face = wp.zeros(len(rays[0]), dtype=wp.int32, device="cpu")
    wp.launch(cast, dim=len(face), inputs=[tree.id, *rays, face], device="cpu")
    return face.numpy().reshape(ray.shape[:-1])


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-300)


def dot(a, b):
    return (a * b).sum(-1)


def surface(mesh, face, eye, ray, flat):
    """Depth and unit normal, on the side that is seen, where rays meet the planes of faces."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[face]].astype(float), -2, 0)
    across = np.cross(b - a, c - a)
    depth = dot(a - eye, across) / dot(ray, across)
    point = eye + ray * depth[..., None]
    area = dot(across, across)
    weight = [dot(np.cross(c - b, point - b), across) / area, dot(np.cross(a - c, point - c), across) / area]
    weight = np.stack([*weight, 1 - weight[0] - weight[1]], -1)
    smooth = np.einsum("...v,...vc->...c", weight, mesh.normals[mesh.faces[face]].astype(float))
    across *= np.sign(dot(across, smooth))[..., None]
    normal = across if flat else smooth
    return depth, unit(normal) * -np.sign(dot(across, ray))[..., None]


def ray_cast(mesh, camera, rays, samples, flat):
    """Mask, depth and normals of each camera's picture, as the rasteriser has them."""
    eye, ray = rays(camera, SIZE, samples)
    eye = np.broadcast_to(eye[:, None, None], ray.shape)
    face = first_faces(mesh, eye + NEAR * ray, ray)
    depth, normal = surface(mesh, face, eye, ray, flat)
    met = face >= 0
    # The camera's axes: rays through the middle, one to the right and one above tell them.
    back = unit(-rays(replace(camera, principal=torch.zeros_like(camera.principal)), 1)[1][:, 0, 0])
    right = unit(ray[:, 0, -1] - ray[:, 0, 0])
    axes = np.stack([right, np.cross(back, right), back], 1)
    normal = np.einsum("bij,bhwj->bhwi", axes, normal) * met[..., None]

    def pixels(table, reduce):
        blocks = table.reshape(len(table), SIZE, samples, SIZE, samples, -1)
        return np.moveaxis(reduce(blocks, axis=(2, 4)), -1, 1)

    nearest = pixels(np.where(met, depth, np.inf), np.min)
    return {
        "mask": pixels(met.astype(float), np.mean),
        "depth": np.where(np.isfinite(nearest), nearest, 0),
        "normals": pixels(normal, lambda table, axis: unit(table.mean(axis))),
    }


def disagreement(found, expected):
    """Share of the covered samples, 99.5 % quantile of the depth's and mean of the normals' error."""
    found = {name: picture.double().numpy() for name, picture in found.items()}
    both = (found["mask"] > 0) & (expected["mask"] > 0)
    assert both.mean() > 0.05
    same = both & (found["mask"] == expected["mask"])
    cosine = (found["normals"] * expected["normals"]).sum(1, keepdims=True)
    return {
        "mask": np.abs(found["mask"] - expected["mask"]).sum() / expected["mask"].sum(),
        "depth": np.quantile(np.abs(found["depth"] - expected["depth"])[both], 0.995),
        "normals": (1 - cosine)[same].mean(),
    }


def rough_ball():
    ball, rng = trimesh.creation.icosphere(3), np.random.default_rng(0)
    return ball.vertices * rng.uniform(0.7, 1, (len(ball.vertices), 1)), ball.faces


def coarse_ball():
    ball = trimesh.creation.icosphere(1)
    return ball.vertices, ball.faces


def knot():
    """A tube along a trefoil knot."""
    turns, sides = 160, 10
    t = np.linspace(0, 2 * np.pi, turns, endpoint=False)
    line = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)], 1)
    along = unit(np.roll(line, -1, 0) - np.roll(line, 1, 0))
    side = unit(np.cross(along, [0.3, 0.2, 1.0]))
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None, None]
    ring = line + 0.45 * (np.cos(angle) * side + np.sin(angle) * np.cross(along, side))
    a = np.arange(turns * sides).reshape(sides, turns)
    b, c = np.roll(a, -1, 0), np.roll(a, -1, 1)
    d = np.roll(b, -1, 1)
    return ring.reshape(-1, 3), np.concatenate(
        [np.stack(corner, -1).reshape(-1, 3) for corner in ((a, c, d), (a, d, b))]
    )


def cube():
    solid = trimesh.creation.box((1, 0.6, 0.4))
    return solid.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3)


def soup():
    rng = np.random.default_rng(1)
    corners = rng.uniform(-1, 1, (250, 1, 3)) + rng.normal(0, 0.25, (250, 3, 3))
    return corners.reshape(-1, 3), np.arange(750).reshape(-1, 3)


def check(mesh, camera, render, rays, samples, flat):
    found = render([mesh], camera, ("mask", "depth", "normals"), SIZE, samples, flat)
    errors = disagreement(found, ray_cast(mesh, camera, rays, samples, flat))
    assert all(errors[name] < gate for name, gate in GATES.items()), errors
    return found


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("shape", [rough_ball, coarse_ball, knot, cube, soup])
def test_pictures_agree_with_rays(render, cameras, rays, shape, flat, samples):
    vertices, faces = shape()
    mesh = in_unit_box(build_mesh(shape.__name__, vertices.astype(np.float32), np.array(faces)))
    camera = cameras(6, seed=samples)
    found = check(mesh, camera, render, rays, samples, flat)
    # The gates can close: cameras that are a little elsewhere fail all of them.
    turned = replace(camera, azimuth=camera.azimuth + 1.5), replace(camera, tilt=-camera.tilt)
    for wrong in turned:
        errors = disagreement(found, ray_cast(mesh, wrong, rays, samples, flat))
        gates = {"mask": GATES["mask"]} if flat and shape is cube else GATES
        assert all(errors[name] > gate for name, gate in gates.items() if name != "normals" or wrong is turned[1]), (
            errors
        )


def test_ground_below_and_behind_the_camera(render, cameras, rays):
    low = np.array([[-6, -6, -0.3], [6, -6, -0.3], [6, 6, -0.3], [-6, 6, -0.3]], np.float32)
    camera = replace(cameras(8, seed=3), elevation=torch.full((8,), 12.0), focal=torch.full((8,), 0.6))
    for faces in ([[0, 1, 2], [0, 2, 3]], [[1, 2, 0], [3, 0, 2]], [[2, 1, 0], [0, 3, 2]]):
        ground = build_mesh("ground", low, np.array(faces))
        found = check(ground, camera, render, rays, 2, flat=False)
        assert found["depth"].amax((1, 2, 3)).min() > 5
        assert found["depth"][found["mask"] == 1].min() < 1


@pytest.mark.parametrize("subdivisions", [0, 3])
def test_camera_inside_a_room(render, cameras, rays, subdivisions):
    room = trimesh.creation.icosphere(subdivisions, 4.0)
    mesh = build_mesh("room", np.array(room.vertices, np.float32), np.array(room.faces))
    camera = cameras(8, seed=4)
    found = check(mesh, replace(camera, focal=camera.focal / 3), render, rays, 2, flat=True)
    assert (found["mask"] == 1).all()


def test_camera_that_grazes_a_mesh(render, cameras, rays):
    """Faces closer than the near plane are cut, not drawn and not dropped whole."""
    vertices, faces = knot()
    mesh = in_unit_box(build_mesh("knot", vertices.astype(np.float32), faces))
    camera = replace(cameras(8, seed=5), distance=torch.linspace(0.1, 0.5, 8), focus=torch.zeros(8, 3))
    found = check(mesh, replace(camera, focal=camera.focal / 2), render, rays, 2, flat=True)
    depth = found["depth"][found["mask"] > 0]
    assert 0.01 <= depth.min() < 0.1


def test_reference_normals_are_those_of_a_ball():
    ball = trimesh.creation.icosphere(3)
    vertices, faces = np.array(ball.vertices, np.float32), np.array(ball.faces)
    mesh = build_mesh("ball", vertices, faces, normals=-smooth_normals(vertices, faces))  # which way is out is not told
    eye, ray = np.array([0.0, -3.0, 0.0]), unit(np.random.default_rng(2).normal([0, 4, 0], 0.5, (100, 3)))
    face = first_faces(mesh, np.broadcast_to(eye, ray.shape), ray)
    depth, normal = surface(mesh, face, eye, ray, flat=False)
    met = face >= 0
    assert met.sum() > 50
    point = eye + ray * depth[:, None]
    assert dot(unit(point), normal)[met].min() > 0.99
