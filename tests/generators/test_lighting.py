"""Lights from parameters, their numbers worked out by hand."""

import numpy as np
import pytest
import torch

from synthreal.errors import ConfigError, DatasetNotFoundError
from synthreal.generators.lighting import BackgroundLight, FixedLight, PanoramaLight, RandomLight
from synthreal.rendering.lights import Lights

BLACK = torch.zeros(1, 3, 8, 8)
ROOT = 0.5**0.5


def columns(**values):
    return {name.replace("_", " "): torch.tensor([float(value)]) for name, value in values.items()}


def names(lighting):
    return [column for axis in lighting.axes for column in axis.columns]


def irradiance(lights: Lights, *normal: float) -> np.ndarray:
    """What a surface receives from everywhere: the polynomials that `Lights` names, in float64."""
    x, y, z = normal
    basis = np.array([1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y])
    table = lights.irradiance[0].double().numpy()
    return basis[: len(table)] @ table


FRONT, BACK, RIGHT, LEFT, TOP = (0, -1, 0), (0, 1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 1)


def test_the_fixed_light_comes_from_the_upper_left_of_the_front():
    lights = FixedLight().lights({}, BLACK.expand(3, -1, -1, -1))
    assert names(FixedLight()) == []
    assert lights.position.shape == (3, 1, 4)
    c, s = np.cos(np.radians([40, 50])), np.sin(np.radians([40, 50]))
    # 40 degrees to the left (-x) of the front (-y), 50 up
    np.testing.assert_allclose(lights.position[2, 0], [-c[1] * s[0], -c[1] * c[0], s[1], 0], atol=1e-6)
    np.testing.assert_allclose(lights.colour, 0.55)
    np.testing.assert_allclose(lights.irradiance, np.full((3, 1, 3), 0.45))
    benchmark = FixedLight(ambient=1, strength=0).lights({}, BLACK)
    assert benchmark.colour.abs().max() == 0
    assert (benchmark.irradiance == 1).all()


def test_a_random_light_by_hand():
    lighting = RandomLight(azimuth_bins=4, elevation_bins=2)
    assert names(lighting) == ["light azimuth", "light elevation", "light strength", "ambient", "warmth"]
    assert [axis.num_buckets for axis in lighting.axes] == [4, 2, 1, 1, 1]
    given = columns(light_azimuth=90, light_elevation=45, light_strength=0.8, ambient=0.3, warmth=0.25)
    lights = lighting.lights(given, BLACK)
    np.testing.assert_allclose(lights.position[0, 0], [ROOT, 0, ROOT, 0], atol=1e-6)  # from +x, half-way up
    np.testing.assert_allclose(lights.colour[0, 0], [1.0, 0.8, 0.6], rtol=1e-6)  # warm: red grows, blue falls
    np.testing.assert_allclose(lights.irradiance[0], [[0.3] * 3], rtol=1e-6)
    cold = lighting.lights(given | columns(warmth=-0.25, light_azimuth=0), BLACK)
    np.testing.assert_allclose(cold.colour[0, 0], [0.6, 0.8, 1.0], rtol=1e-6)
    np.testing.assert_allclose(cold.position[0, 0], [0, -ROOT, ROOT, 0], atol=1e-6)


def test_ranges_become_axes():
    lighting = RandomLight((-20, 30), (0.5, 1.5), (0, 0.1), warmth=0.4)
    ends = [(axis.low, axis.high) for axis in lighting.axes]
    assert ends == [(0, 360), (-20, 30), (0.5, 1.5), (0, 0.1), (-0.4, 0.4)]
    (axis,) = BackgroundLight((0.5, 2)).axes
    assert (axis.low, axis.high) == (0.5, 2)
    assert names(PanoramaLight("anywhere")) == ["panorama", "panorama azimuth", "light strength"]


def test_an_even_background_is_ambient_light():
    background = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    lights = BackgroundLight().lights(columns(light_strength=1.2), background)
    assert lights.position.shape == (1, 0, 4)
    for normal in (FRONT, BACK, RIGHT, TOP, (0.6, 0, 0.8)):
        np.testing.assert_allclose(irradiance(lights, *normal), [0.24, 0.6, 1.08], rtol=4e-3)


def test_a_backgrounds_upper_half_lights_the_top():
    background = torch.zeros(1, 3, 32, 32)
    background[:, 2, :16] = 1  # a blue sky
    lights = BackgroundLight().lights(columns(light_strength=1), background)
    top, below, side = (irradiance(lights, *normal) for normal in (TOP, (0, 0, -1), FRONT))
    # A surface under half a sphere of light receives all, half, none; degree two keeps this but for its ringing.
    np.testing.assert_allclose([top[2], side[2], below[2]], [1, 0.5, 0], atol=0.01)
    assert np.abs([top[:2], side[:2], below[:2]]).max() == 0


def test_each_image_has_the_light_of_its_own_background():
    draw = torch.Generator().manual_seed(0)
    background, strength = torch.rand(33, 3, 32, 32, generator=draw), torch.rand(33, generator=draw)
    together = BackgroundLight().lights({"light strength": strength}, background)
    for i in range(33):
        alone = BackgroundLight().lights({"light strength": strength[i : i + 1]}, background[i : i + 1])
        assert torch.equal(alone.irradiance[0], together.irradiance[i])
    assert together.irradiance.flatten(1).unique(dim=0).shape[0] == 33


def write_panorama(path, spots):
    """A flat Radiance file, 16 × 32, dark but for spots (row, column, colour of 0 to 255)."""
    rgbe = np.zeros((16, 32, 4), np.uint8)
    rgbe[...] = 8, 8, 8, 124
    for row, column, colour in spots:
        rgbe[row, column] = *colour, 136
    path.write_bytes(b"#?RADIANCE\n\n-Y 16 +X 32\n" + rgbe.tobytes())


@pytest.fixture
def panoramas(tmp_path):
    # Column 16 of 32 begins at azimuth 0; 90 degrees are 8 columns.
    write_panorama(tmp_path / "a_front.hdr", [(7, 15, (9, 9, 9)), (7, 16, (9, 9, 9))])
    write_panorama(tmp_path / "b_right.hdr", [(7, 23, (255, 90, 90)), (7, 24, (255, 90, 90))])
    return PanoramaLight(str(tmp_path), (0.1, 3))


def lit(panoramas, which=0.0, azimuth=0.0, strength=1.0):
    return panoramas.lights(columns(panorama=which, panorama_azimuth=azimuth, light_strength=strength), BLACK)


SIDES = {0: FRONT, 90: RIGHT, 180: BACK, 270: LEFT}


@pytest.mark.parametrize(("which", "at"), [(0.2, 0), (0.7, 90)])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_bright_spot_lights_its_side_and_turns_with_the_panorama(panoramas, which, at, turn):
    lights = lit(panoramas, which, turn)
    received = {side: irradiance(lights, *normal)[0] for side, normal in SIDES.items()}
    brightest = (at + turn) % 360
    assert max(received, key=received.get) == brightest
    assert received[brightest] > 10 * abs(received[(brightest + 180) % 360])
    assert received[(brightest + 90) % 360] == pytest.approx(received[(brightest + 270) % 360], rel=1e-3)


def test_the_mean_over_all_directions_is_the_strength(panoramas):
    normals = np.random.default_rng(0).normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.concatenate([normals, -normals])
    for which, strength in ((0.0, 1.0), (0.99, 0.4)):
        lights = lit(panoramas, which, 77, strength)
        mean = np.mean([irradiance(lights, *normal) for normal in normals], 0)
        assert mean.mean() == pytest.approx(strength, rel=0.02)
    assert mean[0] > 2 * mean[1]  # a red spot stays red


def test_every_panorama_and_angle_is_reached(tmp_path, panoramas):
    def light(which, azimuth):
        return lit(panoramas, which, azimuth).irradiance

    assert torch.equal(light(0, 0), light(0.49, 14.9))
    assert not torch.equal(light(0.49, 0), light(0.5, 0))
    assert torch.equal(light(0.5, 0), light(1, 360))
    steps = torch.stack([light(0, 15 * i + 1) for i in range(24)]).flatten(1)
    assert len(steps.unique(dim=0)) == 24
    every = PanoramaLight(str(tmp_path), azimuths=1)
    assert torch.equal(lit(every, 0, 0).irradiance, lit(every, 0, 359).irradiance)


def test_panoramas_are_looked_for_when_they_are_needed(tmp_path):
    lighting = PanoramaLight(str(tmp_path / "none"))
    with pytest.raises(DatasetNotFoundError, match="Panoramas"):
        lit(lighting)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FixedLight(ambient=-0.1), "Light is at least 0"),
        (lambda: FixedLight(strength=-1), "Light is at least 0"),
        (lambda: RandomLight(strength=(-0.1, 1)), "Light is at least 0"),
        (lambda: RandomLight(ambient=(-1, 1)), "Light is at least 0"),
        (lambda: RandomLight(warmth=0), "warmth is between 0 and 1"),
        (lambda: RandomLight(warmth=1), "warmth is between 0 and 1"),
        (lambda: RandomLight(elevation=(80, 10)), "light elevation"),
        (lambda: BackgroundLight((-1, 1)), "Light is at least 0"),
        (lambda: PanoramaLight("a", (-1, 1)), "Light is at least 0"),
        (lambda: PanoramaLight("a", azimuths=0), "at least 1 angle"),
    ],
)
def test_what_lights_refuse(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
