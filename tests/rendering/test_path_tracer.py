"""The path tracer draws what the rasteriser draws, and what light does besides."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from synthreal.datasets.meshes import ProceduralMeshes
from synthreal.errors import ConfigError
from synthreal.generators.mesh import MeshImages
from synthreal.rendering.lights import Lights, ambient, environment_irradiance
from synthreal.rendering.mesh import merge_meshes
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.path_tracer import PathTracer
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.rendering.scene import Views
from synthreal.rendering.textures import join_textures, pack_textures

SIDE = 32


def test_without_mitsuba_the_error_says_what_to_install(monkeypatch, rectangle):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(ConfigError, match=r"pip install 'synthreal\[photoreal\]'"):
        PathTracer(pack_meshes([rectangle()]), SIDE)


@pytest.fixture(scope="session")
def trace():
    """Pictures by the path tracer, as the fixture `render` makes them by the rasteriser."""
    pytest.importorskip("mitsuba")

    def make(meshes, camera, outputs=("rgba",), samples=16, flat=False, lights=None, size=SIDE, **rows):
        packed = meshes if hasattr(meshes, "vertex_start") else pack_meshes(meshes)
        count = len(camera.azimuth)
        rows.setdefault("mesh", torch.zeros(count, dtype=torch.long))
        views = Views(camera=camera, lights=lights or ambient(torch.ones(count, 3)), **rows)
        return PathTracer(packed, size, samples, flat).render(views, outputs)

    return make


@pytest.fixture(scope="session")
def corner(box):
    """Three boxes of different colours: no two sides look alike."""
    parts = [
        box([-0.5, -0.5, -0.5], [0.5, 0.5, -0.2], (1.0, 0.2, 0.2)),
        box([-0.5, 0.1, -0.2], [0.0, 0.5, 0.5], (0.2, 1.0, 0.2)),
        box([0.3, -0.5, -0.2], [0.5, -0.3, 0.2], (0.2, 0.2, 1.0)),
    ]
    return merge_meshes("corner", parts)


def overlap(first, second):
    return torch.minimum(first, second).sum((1, 2, 3)) / torch.maximum(first, second).sum((1, 2, 3))


@pytest.fixture(scope="session")
def seen(corner, cameras, render, trace):
    """The same random views by both."""
    camera = cameras(8)
    outputs = ("rgba", "mask", "depth", "normals", "semantic")
    return camera, render([corner], camera, outputs, samples=4), trace([corner], camera, outputs, samples=64)


def test_random_cameras_see_the_same_outline(seen):
    _, raster, traced = seen
    assert float(overlap(raster["mask"], traced["mask"]).min()) > 0.99
    assert torch.equal(traced["mask"], traced["rgba"][:, 3:])


@pytest.mark.parametrize("part", ["tilt", "focal", "principal", "focus", "azimuth", "elevation"])
def test_the_outline_tells_cameras_apart(part, seen, corner, render):
    camera, _, traced = seen
    wrong = replace(camera, **{part: 0.7 * getattr(camera, part)})
    others = render([corner], wrong, ("mask",), samples=4)["mask"]
    assert float(overlap(others, traced["mask"]).mean()) < 0.98


def test_maps_lie_where_the_colours_do(seen):
    _, raster, traced = seen
    inside, outside = traced["mask"] == 1, traced["mask"] == 0
    assert (traced["depth"][inside] > 0).all()
    assert (traced["depth"][outside] > 0).float().mean() < 0.01
    assert (traced["normals"].norm(dim=1, keepdim=True)[inside] - 1).abs().max() < 1e-5
    # Away from edges, where the number of samples matters, they are those of the other renderer.
    assert (traced["depth"] - raster["depth"])[inside].abs().quantile(0.9) < 0.01
    assert (traced["semantic"] - raster["semantic"]).abs().mean() < 0.01
    same = (traced["normals"] * raster["normals"]).sum(1, keepdim=True)[inside] > 0.999
    assert same.float().mean() > 0.95


def test_the_sides_of_an_object_have_their_colours(seen):
    _, raster, traced = seen
    # White light from everywhere: what is not in a corner is nearly as bright as without shadows.
    plain = (raster["mask"] == 1) & (traced["mask"] == 1)
    a, b = (torch.nn.functional.normalize(p["rgba"][:, :3], dim=1) for p in (raster, traced))
    assert ((a * b).sum(1, keepdim=True)[plain] > 0.98).float().mean() > 0.9


def test_a_convex_matt_ball_looks_the_same(sphere, cameras, render, trace, shine):
    camera, ball = cameras(3), [sphere(colour=(0.9, 0.6, 0.3))]
    lights = shine(3, ([0.6, -0.5, 0.62, 0], [0.5, 0.4, 0.2]), ([-3, 0, 0, 0], [0.1, 0.2, 0.3]), over=0.3)
    raster, traced = (draw(ball, camera, samples=n, lights=lights)["rgba"] for draw, n in ((render, 4), (trace, 64)))
    inside = (raster[:, 3:] == 1) & (traced[:, 3:] == 1)
    difference = (raster - traced)[:, :3].abs().masked_fill(~inside, 0)
    assert float(difference.max()) < 0.06
    assert float(difference.sum() / inside.sum() / 3) < 0.006


def test_surroundings_light_a_ball_as_their_polynomials_say(sphere, around, render, trace):
    camera = around([0.0, 90.0, 200.0, -60.0], [0.0, 20.0, 60.0, -50.0])
    draw = torch.Generator().manual_seed(1)
    coarse = torch.rand(4, 3, 3, 4, generator=draw) * 0.8
    irradiance = environment_irradiance(torch.nn.functional.interpolate(coarse, (32, 64), mode="bilinear"))
    none = torch.zeros(4, 0, 4)
    lights, ball = Lights(irradiance, none, none[..., :3]), [sphere()]
    raster = render(ball, camera, samples=4, lights=lights)["rgba"][:, :3]
    traced = trace(ball, camera, samples=64, lights=lights)["rgba"][:, :3]
    assert float((raster - traced).abs().mean()) < 0.004
    turned = Lights(environment_irradiance(torch.flip(coarse, [3])), none, none[..., :3])  # negative control
    assert float((render(ball, camera, samples=4, lights=turned)["rgba"][:, :3] - traced).abs().mean()) > 0.012


def quarters():
    """A texture: red and green above, blue and white below."""
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8, :8], image[:8, 8:], image[8:, :8], image[8:, 8:] = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]
    return image


def test_a_texture_is_the_right_way_up(rectangle, straight, trace):
    rgba = trace([rectangle(texture=quarters(), colour=(1.0, 0.5, 1.0))], straight())["rgba"][0]
    centres = rgba[:3, [8, 8, 24, 24], [8, 24, 8, 24]].T
    assert torch.allclose(centres, torch.tensor([[1.0, 0, 0], [0, 0.5, 0], [0, 0, 1], [1, 0.5, 1]]), atol=0.06)


def test_a_texture_may_be_one_texel(rectangle, straight, trace):
    rgba = trace([rectangle(texture=np.full((1, 1, 3), [255, 128, 0], np.uint8))], straight())["rgba"][0]
    assert torch.allclose(rgba[:3].mean((1, 2)), torch.tensor([1, 128 / 255, 0]), atol=0.02)


def test_a_texture_covers_the_object(box, cameras, render, trace):
    packed = pack_meshes([box([-0.5, -0.3, -0.4], [0.5, 0.3, 0.4])])
    packed = replace(packed, textures=join_textures(packed.textures, pack_textures([quarters()])))
    rows = {
        "texture": torch.zeros(4, dtype=torch.long),
        "texture_repeat": torch.tensor([1.0, 1.3, 2.0, 0.8]),
        "tint": torch.tensor([[0.9, 0.8, 0.7]]).expand(4, 3),
    }
    raster, traced = (draw(packed, cameras(4), samples=n, **rows)["rgba"] for draw, n in ((render, 4), (trace, 16)))
    assert float((raster - traced)[:, :3].abs().mean()) < 0.012
    rows["texture"] = -torch.ones(4, dtype=torch.long)
    assert float((render(packed, cameras(4), samples=4, **rows)["rgba"] - traced)[:, :3].abs().mean()) > 0.05


def test_vertex_colours_are_drawn(rectangle, straight, trace):
    colours = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]], np.float32)
    mesh = replace(rectangle(), colours=colours)
    rgba = trace([mesh], straight(), tint=torch.tensor([[0.5, 1.0, 1.0]]))["rgba"][0]
    assert rgba[:3, 24, 16].tolist() == pytest.approx([0.5 * 24.5 / 32, 0, 7.5 / 32], abs=0.02)


def test_a_point_light_falls_with_the_square_of_the_distance(rectangle, straight, trace, shine):
    lights = shine(1, ([0.0, -0.5, 0.0, 1.0], [0.2, 0.1, 0.04]))
    rgb = trace([rectangle()], straight(), lights=lights, samples=64)["rgba"][0, :3]
    place = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    away = (place[:, None] ** 2 + place**2 + 0.25).sqrt()
    expected = torch.tensor([0.2, 0.1, 0.04])[:, None, None] * (0.5 / away) / away**2
    assert torch.allclose(rgb, expected, rtol=0.05, atol=0.005)


def test_both_sides_of_a_face_are_lit(rectangle, straight, trace, shine):
    behind = shine(1, ([0.0, 1.0, 0.0, 0.0], [0.8, 0.8, 0.8]))
    assert float(trace([rectangle()], straight(azimuth=180), lights=behind)["rgba"][0, 0].mean()) == pytest.approx(0.8)
    assert float(trace([rectangle()], straight(), lights=behind)["rgba"][0, 0].mean()) == 0


def test_an_object_throws_a_shadow(rectangle, straight, render, trace, shine):
    # The light comes from the left; the post in the middle shades a strip of the wall to its right.
    wall, post = rectangle(), rectangle(-0.05, 0.05, y=-0.2)
    scene = [merge_meshes("wall and post", [wall, post])]
    lights = shine(1, ([-1.0, -1.0, 0.0, 0.0], [1.0, 1.0, 1.0]))
    raster, traced = (draw(scene, straight(focal=1.9), lights=lights)["rgba"][0, 0] for draw in (render, trace))
    full = 0.5**0.5
    shaded, lit = slice(16 + 5, 16 + 7), slice(27, 30)
    assert torch.allclose(raster[:, shaded][4:-4], torch.tensor(full), atol=0.01)
    assert float(traced[4:-4, shaded].max()) < 0.5 * full
    assert torch.allclose(traced[4:-4, lit], torch.tensor(full), atol=0.08)


def test_a_highlight_lies_where_the_rasterisers_does(sphere, straight, render, trace, shine):
    ball = [sphere(colour=(0.2, 0.2, 0.2), specular=0.8, shininess=40.0)]
    lights = shine(1, ([-0.5, -0.7, 0.5, 0.0], [1.0, 1.0, 1.0]))
    peaks = []
    for draw in (render, trace):
        light = draw(ball, straight(focal=1.8), lights=lights)["rgba"][0, 0]
        peaks.append(divmod(int(light.argmax()), SIDE))
    assert np.abs(np.subtract(*peaks)).max() <= 1


def test_flat_shading(sphere, straight, render, trace, shine):
    ball, lights = [sphere(subdivisions=1)], shine(1, ([-0.5, -0.7, 0.5, 0.0], [1.0, 1.0, 1.0]))
    camera = straight(focal=1.8)
    traced = trace(ball, camera, lights=lights, flat=True)["rgba"]
    assert float((render(ball, camera, lights=lights, flat=True, samples=4)["rgba"] - traced).abs().mean()) < 0.01
    assert float((render(ball, camera, lights=lights, samples=4)["rgba"] - traced).abs().mean()) > 0.02


def test_colours_never_exceed_coverage(corner, cameras, trace):
    rgba = trace([corner], cameras(2), lights=ambient(torch.full((2, 3), 3.0)))["rgba"]
    assert (rgba[:, :3] <= rgba[:, 3:]).all()
    assert float(rgba.min()) >= 0


def test_without_any_light_it_is_black(corner, cameras, trace):
    rgba = trace([corner], cameras(1), lights=ambient(torch.zeros(1, 3)))["rgba"]
    assert float(rgba[:, :3].max()) == 0
    assert float(rgba[:, 3].max()) == 1


def test_a_picture_depends_on_its_row_alone(corner, sphere, cameras, trace, shine):
    camera, packed = cameras(3), pack_meshes([corner, sphere()])
    lights = shine(3, ([1, -1, 1, 0], [0.5, 0.5, 0.5]), over=0.4)
    rows = torch.tensor([0, 1, 0])
    together = trace(packed, camera, samples=4, lights=lights, mesh=rows)["rgba"]
    assert torch.equal(together, trace(packed, camera, samples=4, lights=lights, mesh=rows)["rgba"])
    views = Views(rows, camera, lights).part(slice(2, 3))
    alone = trace(packed, views.camera, samples=4, lights=views.lights, mesh=views.mesh)["rgba"]
    assert torch.equal(together[2:], alone)


def test_noise_does_not_depend_on_the_number_of_threads(corner, cameras, trace, shine):
    drjit = pytest.importorskip("drjit")
    lights, before = shine(1, ([1, -1, 1, 0], [0.5, 0.5, 0.5]), over=0.4), drjit.thread_count()
    pictures = []
    try:
        for threads in (1, 7):
            drjit.set_thread_count(threads)
            pictures.append(trace([corner], cameras(1), samples=4, lights=lights, size=64)["rgba"])
    finally:
        drjit.set_thread_count(before)
    assert torch.equal(*pictures)


def test_it_frames_as_the_rasteriser_does(corner, cameras):
    pytest.importorskip("mitsuba")
    packed = pack_meshes([corner])
    views = Views(torch.zeros(3, dtype=torch.long), cameras(3), ambient(torch.ones(3, 3)))
    tracer = PathTracer(packed, SIDE, 16)
    framed = tracer.frame(views, 0.8)
    assert torch.equal(framed.camera.principal, Rasteriser(packed, SIDE).frame(views, 0.8).camera.principal)
    inside = tracer.render(framed, ("mask",))["mask"] > 0
    longer = torch.maximum(inside.any(2).sum(2), inside.any(3).sum(2)).flatten()
    assert ((longer - 0.8 * SIDE).abs() <= 2).all()


def test_only_what_is_asked_for(corner, cameras, trace):
    assert set(trace([corner], cameras(1), ("depth",))) == {"depth"}
    assert set(trace([corner], cameras(1), ("mask", "normals"), samples=1)) == {"mask", "normals"}


@pytest.mark.parametrize("samples", [0, -1, 5000])
def test_samples_out_of_range(samples, corner):
    with pytest.raises(ConfigError, match="1 to 4096 samples"):
        PathTracer(pack_meshes([corner]), SIDE, samples)


def test_rendered_images_are_traced_when_their_samples_are_given():
    pytest.importorskip("mitsuba")
    batches = []
    for samples in (0, 16):
        generator = MeshImages(ProceduralMeshes(["cup"], 1), SIDE, fill=0.8, path_samples=samples, outputs=["depth"])
        bucket = torch.zeros(2, dtype=torch.long)
        place = torch.full((2, len(generator.space.columns)), 0.5)
        draws = {"bucket": bucket, "parameters": generator.space.place(bucket, place), "seed": torch.arange(2)}
        batches.append(generator.generate(draws, torch.device("cpu")))
    raster, traced = batches
    assert float(overlap(raster["mask"], traced["mask"]).min()) > 0.97
    assert torch.equal(raster["depth"], traced["depth"])
    assert torch.equal(traced["image"][0], traced["image"][1])
    assert 0.002 < float((raster["image"] - traced["image"]).abs().mean()) < 0.1
