import numpy as np
import pytest
import torch
from scipy.special import eval_legendre

from synthreal.rendering.lights import Lights, ambient, direction, environment_irradiance

ALBEDO = np.array([0.9, 0.5, 0.2])


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def dot(a, b):
    return (a * b).sum(-1)


def ball_points(eye, ray, radius):
    """Where rays meet a ball about the origin, and which do so well inside its outline."""
    half, square = dot(eye[:, None, None], ray), dot(ray, ray)
    root = half**2 - square * (dot(eye, eye) - radius**2)[:, None, None]
    away = (-half - np.sqrt(np.maximum(root, 0))) / square
    point = eye[:, None, None] + ray * away[..., None]
    return point, (root > 0) & (-dot(point, ray) > 0.15 * radius * np.sqrt(square))


def lit_ball(camera, rays, size, lights, over, specular=0.0, shininess=1.0):
    """Lambert and Blinn-Phong picture of a ball of radius ½, by formula."""
    eye, ray = rays(camera, size)
    point, inside = ball_points(eye, ray, 0.5)
    normal, view = point / 0.5, -unit(ray)
    diffuse, highlight = np.full(normal.shape, over), np.zeros(normal.shape)
    for (*place, weight), colour in lights:
        offset = np.array(place) - weight * point
        strength = np.where(weight > 0, 1 / dot(offset, offset), 1)[..., None] * np.array(colour)
        facing = dot(normal, unit(offset))[..., None]
        half = np.maximum(dot(normal, unit(unit(offset) + view)), 0)[..., None]
        diffuse += strength * np.maximum(facing, 0)
        highlight += np.where(facing > 0, strength * specular * half**shininess, 0)
    return np.minimum(ALBEDO * diffuse + highlight, 1), inside


SUN = ((1.0, -2.0, 1.5, 0.0), (0.6, 0.7, 0.8))
LAMP = ((-1.0, -0.5, 0.8, 1.0), (0.5, 0.3, 0.1))


@pytest.mark.parametrize(
    ("lights", "gloss"),
    [
        ([SUN], {}),
        ([LAMP], {}),
        ([SUN, LAMP], {}),
        ([SUN], {"specular": 0.4, "shininess": 12.0}),
        ([LAMP, SUN], {"specular": 0.8, "shininess": 60.0}),
    ],
)
def test_ball_is_lit_by_formula(render, cameras, rays, sphere, shine, lights, gloss):
    camera = cameras(6, seed=1)
    ball = sphere(colour=tuple(ALBEDO), **gloss)
    expected, inside = lit_ball(camera, rays, 48, lights, 0.1, **gloss)
    assert inside.mean() > 0.1
    picture = render([ball], camera, size=48, lights=shine(6, *lights, over=0.1))["rgba"][:, :3]
    error = np.abs(picture.permute(0, 2, 3, 1).double().numpy() - expected)[inside]
    assert np.quantile(error, 0.999) < 0.01  # a highlight ends abruptly where a surface turns from its light
    assert error.mean() < 0.001
    # The same light from elsewhere is another picture.
    other, _ = lit_ball(camera, rays, 48, [((-p[0], *p[1:]), c) for p, c in lights], 0.1, **gloss)
    assert np.abs(picture.permute(0, 2, 3, 1).double().numpy() - other)[inside].mean() > 0.02


def test_highlight_needs_no_albedo_and_gloss_needs_light(render, straight, sphere, shine):
    black = sphere(colour=(0.0, 0.0, 0.0), subdivisions=3, specular=0.5, shininess=8.0)
    front = shine(1, ((0.0, -1.0, 0.0, 0.0), (1.0, 0.5, 0.0)))
    picture = render([black], straight(focal=1.5), size=33, lights=front)["rgba"][0]
    np.testing.assert_allclose(picture[:, 16, 16], [0.5, 0.25, 0, 1], atol=0.01)  # mirrored into the camera
    behind = shine(1, ((0.0, 1.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert render([black], straight(focal=1.5), lights=behind)["rgba"][0, :3, 8:24, 8:24].max() < 0.05


def test_lamp_falls_with_the_square_of_its_distance(render, straight, rectangle, shine):
    lamp = shine(1, ((0.0, -0.5, 0.0, 1.0), (0.1, 0.2, 0.1)))
    picture = render([rectangle()], straight(), size=33, lights=lamp)["rgba"][0].numpy()
    # At the middle the lamp is at distance ½ and straight above: 4 times the light at distance 1.
    np.testing.assert_allclose(picture[:3, 16, 16], [0.4, 0.8, 0.4], rtol=1e-4)
    x, z = np.meshgrid((np.arange(33) - 16) / 33, (np.arange(33) - 16) / 33)
    np.testing.assert_allclose(picture[0], 0.1 * 0.5 / (x**2 + z**2 + 0.25) ** 1.5, rtol=1e-3)
    twice = shine(1, ((0.0, -1.0, 0.0, 1.0), (0.1, 0.2, 0.1)))
    farther = render([rectangle()], straight(), size=33, lights=twice)["rgba"][0]
    np.testing.assert_allclose(farther[:3, 16, 16], [0.1, 0.2, 0.1], rtol=1e-4)


def test_light_from_behind_lights_nothing(render, straight, rectangle, shine):
    for weight in (0.0, 1.0):
        behind = shine(1, ((0.0, 0.5, 0.0, weight), (1.0, 1.0, 1.0)), over=0.25)
        picture = render([rectangle()], straight(), lights=behind)["rgba"]
        torch.testing.assert_close(picture[:, :3], torch.full((1, 3, 32, 32), 0.25))


def test_lights_add_and_only_the_direction_of_a_sun_counts(render, cameras, sphere, shine):
    camera, ball = cameras(4, seed=2), sphere(subdivisions=3)
    dim = [((1.0, -1.0, 1.0, 0.0), (0.3, 0.1, 0.2)), ((-1.0, -1.0, 0.5, 1.0), (0.1, 0.2, 0.1))]

    def picture(*lights):
        return render([ball], camera, lights=shine(4, *lights))["rgba"][:, :3]

    torch.testing.assert_close(picture(*dim), picture(dim[0]) + picture(dim[1]))
    assert picture(dim[1]).max() > 0.05
    farther = ((5.0, -5.0, 5.0, 0.0), dim[0][1])
    torch.testing.assert_close(picture(farther), picture(dim[0]))
    assert not picture().any()  # no light at all


def test_colours_stop_at_one(render, straight, rectangle, sphere, shine):
    sun = shine(1, ((0.0, -1.0, 0.0, 0.0), (5.0, 1.0, 0.5)), over=0.1)
    picture = render([rectangle(colour=(0.5, 0.5, 0.5))], straight(), lights=sun)["rgba"][0]
    np.testing.assert_allclose(
        picture[:3].numpy(), np.array([1, 0.55, 0.3])[:, None, None].repeat(32, 1).repeat(32, 2), rtol=1e-5
    )
    glare = render([sphere(specular=1.0)], straight(), lights=sun, samples=3)["rgba"]
    assert glare.max() <= 1


def test_each_row_has_its_own_light(render, straight, rectangle):
    colours = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    picture = render([rectangle()], straight(5), lights=ambient(colours))["rgba"][:, :3]
    torch.testing.assert_close(picture, colours[:, :, None, None].expand(5, 3, 32, 32))


def test_direction_by_hand():
    places = direction(torch.tensor([0.0, 90.0, 180.0, 0.0, 30.0]), torch.tensor([0.0, 0.0, 0.0, 90.0, 45.0]))
    root = np.sqrt(0.5)
    slanted = [root * 0.5, -root * np.sqrt(0.75), root, 0]
    expected = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], slanted]
    np.testing.assert_allclose(places.numpy(), expected, atol=1e-6)


def test_lights_move_to_a_device():
    lights = ambient(torch.ones(2, 3)).to(torch.device("meta"))
    assert lights.irradiance.is_meta
    assert lights.position.is_meta
    assert lights.colour.is_meta


def panorama_directions(height, width):
    """Direction and solid angle of each texel."""
    e = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    a = ((np.arange(width) + 0.5) / width * 2 - 1) * np.pi
    e, a = np.meshgrid(e, a, indexing="ij")
    way = np.stack([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)], -1)
    angle = (np.sin(e + np.pi / 2 / height) - np.sin(e - np.pi / 2 / height)) * 2 * np.pi / width
    return way, angle


def shining(coefficients, n):
    """The polynomials that `Lights` documents."""
    x, y, z = n.T
    basis = [np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return np.stack(basis, 1) @ coefficients.double().numpy()


def irradiance(panorama, n, kernel):
    """Integral of the radiance (a channel) times a kernel of the cosine, over π."""
    way, angle = panorama_directions(*panorama.shape)
    return np.einsum("hw,nhw->n", panorama * angle, kernel(np.einsum("nc,hwc->nhw", n, way))) / np.pi


def order_two(cosine):
    """Clamped cosine up to Legendre polynomials of degree 2: (2l + 1) / 4π times π, 2π/3, π/4."""
    return sum(
        (2 * k + 1) / (4 * np.pi) * a * eval_legendre(k, cosine)
        for k, a in enumerate((np.pi, 2 * np.pi / 3, np.pi / 4))
    )


def clamped(cosine):
    return np.maximum(cosine, 0)


NORMALS = unit(np.random.default_rng(0).normal(size=(200, 3)))


def test_panorama_is_the_order_two_integral():
    panorama = np.random.default_rng(1).random((32, 64, 3)) ** 4
    panorama[:12, 40:50] += 5.0
    light = environment_irradiance(torch.from_numpy(panorama.transpose(2, 0, 1)[None]).float())
    assert light.shape == (1, 9, 3)
    for channel in range(3):
        expected = irradiance(panorama[..., channel], NORMALS, order_two)
        np.testing.assert_allclose(shining(light[0], NORMALS)[:, channel], expected, rtol=2e-3)
        # 3 % of the mean is what Ramamoorthi and Hanrahan report for real places; this one has a harsh window.
        true = irradiance(panorama[..., channel], NORMALS, clamped)
        assert np.abs(expected - true).mean() < 0.05 * true.mean()


def test_one_bright_texel_is_a_clamped_cosine_within_its_known_error():
    panorama = np.zeros((32, 64))
    way, angle = panorama_directions(32, 64)
    panorama[9, 45] = np.pi / angle[9, 45]  # a surface that faces it is lit by 1
    light = environment_irradiance(torch.from_numpy(panorama[None, None].repeat(3, 1)).float())
    cosine = NORMALS @ way[9, 45]
    found = shining(light[0], NORMALS)[:, 0]
    np.testing.assert_allclose(found, order_two(cosine), atol=1e-3)
    # The expansion is 17/16 for 1 and 3/32 for 0: nowhere more than 3/32 off.
    assert np.abs(found - clamped(cosine)).max() < 3 / 32 + 2e-3
    assert np.abs(found - clamped(-cosine)).max() > 0.9


@pytest.mark.parametrize(("height", "width"), [(4, 8), (16, 32), (31, 47)])
def test_constant_panorama_is_ambient(height, width):
    colour = torch.tensor([0.2, 0.5, 1.0])
    light = environment_irradiance(colour[None, :, None, None].expand(1, 3, height, width))
    torch.testing.assert_close(light[0, 0], colour)
    np.testing.assert_allclose(shining(light[0], NORMALS), np.tile(colour, (200, 1)), atol=0.7 / height**2)


@pytest.mark.parametrize(
    ("rows", "columns", "towards"),
    [
        (slice(0, 4), slice(None), (0, 0, 1)),
        (slice(12, 16), slice(None), (0, 0, -1)),
        (slice(6, 10), slice(14, 18), (0, -1, 0)),  # middle column: the front
        (slice(6, 10), slice(22, 26), (1, 0, 0)),  # azimuth 90
        (slice(6, 10), slice(6, 10), (-1, 0, 0)),
        (slice(6, 10), [0, 1, 30, 31], (0, 1, 0)),
    ],
)
def test_panorama_orientation(rows, columns, towards):
    panorama = torch.zeros(1, 3, 16, 32)
    panorama[:, :, rows, columns] = 4.0
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    brightness = shining(environment_irradiance(panorama)[0], axes)[:, 0]
    np.testing.assert_array_equal(axes[brightness.argmax()], towards)


def test_ball_in_a_panorama(render, cameras, rays, sphere):
    camera, size = cameras(4, seed=6), 48
    rng = np.random.default_rng(7)
    panoramas = torch.from_numpy(rng.random((4, 3, 4, 8))).float().repeat_interleave(4, 2).repeat_interleave(4, 3)
    light = environment_irradiance(panoramas)
    none = torch.zeros(4, 0, 4)
    picture = render([sphere()], camera, size=size, lights=Lights(light, none, none[..., :3]))["rgba"]
    point, inside = ball_points(*rays(camera, size), 0.5)
    for i in range(4):
        expected = np.minimum(shining(light[i], point[i][inside[i]] / 0.5), 1)
        found = picture[i, :3].permute(1, 2, 0).numpy()[inside[i]]
        np.testing.assert_allclose(found, expected, atol=0.01)


def test_no_light_is_negative(render, around, sphere):
    panorama = torch.zeros(1, 3, 16, 32)
    panorama[:, :, 1, 16] = 500.0
    light = environment_irradiance(panorama)
    assert shining(light[0], NORMALS).min() < -0.01  # of the expansion itself
    none = torch.zeros(1, 0, 4)
    picture = render([sphere()], around([0.0], [-40.0]), lights=Lights(light, none, none[..., :3]))["rgba"]
    assert picture.min() >= 0
