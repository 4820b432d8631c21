import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from synthreal.errors import MeshError
from synthreal.rendering import textures
from synthreal.rendering.lights import ambient
from synthreal.rendering.mesh import Material, build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.rendering.scene import Views
from synthreal.rendering.textures import LEVELS, join_textures, pack_textures


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def level_of(packed, texture, level):
    """Texels of a level, height × width × RGB."""
    width, height = (max(1, int(side) >> level) for side in packed.size[texture])
    start = int(packed.start[texture, level])
    texels = packed.texels[start : start + height * width].numpy().reshape(height, width)
    return np.stack([texels >> shift & 255 for shift in (0, 8, 16)], -1)


def halved(image):
    height, width = image.shape[:2]
    return image.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))


def bilinear(texture, u, v):
    """Colours in [0, 1] at texture coordinates; the texture repeats and its row 0 is at v = 1."""
    at = [(1 - v) * texture.shape[0] - 0.5, u * texture.shape[1] - 0.5]
    channels = [map_coordinates(texture[..., k] / 255, at, order=1, mode="grid-wrap") for k in range(3)]
    return np.stack(channels, -1)


def image_of(pictures):
    return pictures["rgba"][0, :3].permute(1, 2, 0).numpy()


def test_levels_are_area_means():
    images = [noise(16, 32), noise(1, 1, 1), noise(8, 2, 2)]
    packed = pack_textures(images)
    assert len(packed) == 3
    assert packed.size.tolist() == [[32, 16], [1, 1], [2, 8]]
    np.testing.assert_array_equal(level_of(packed, 0, 0), images[0])
    np.testing.assert_array_equal(level_of(packed, 1, 0), images[1])
    expected = images[0].astype(float)
    for level in range(1, 5):
        expected = halved(expected)
        np.testing.assert_allclose(level_of(packed, 0, level), expected, atol=0.51)  # to the nearest byte
    for texture, image in enumerate(images):
        for level in range(5, LEVELS):
            np.testing.assert_allclose(level_of(packed, texture, level), image.mean((0, 1), keepdims=True), atol=0.51)
    # 32 × 16 + 16 × 8 + 8 × 4 + 4 × 2 + 2 × 1 + 1, then 1, then 16 + 4 + 2 + 1
    assert len(packed.texels) == 683 + 1 + 23


@pytest.mark.parametrize(("height", "width"), [(7, 5), (1, 9), (13, 1), (30, 31)])
def test_odd_sizes_end_in_their_mean(height, width):
    image = noise(height, width)
    packed = pack_textures([noise(3, 3), image])
    np.testing.assert_array_equal(level_of(packed, 1, 0), image)
    np.testing.assert_allclose(level_of(packed, 1, LEVELS - 1), image.mean((0, 1), keepdims=True), atol=0.51)
    assert (packed.start.diff(dim=1) >= 0).all()


def test_a_large_image_is_shrunk():
    image = noise(32, 64)
    packed = pack_textures([image, image[:16, :8]], largest=16)
    assert packed.size.tolist() == [[16, 8], [8, 16]]
    np.testing.assert_allclose(level_of(packed, 0, 0), halved(halved(image.astype(float))), atol=0.51)
    np.testing.assert_array_equal(level_of(packed, 1, 0), image[:16, :8])


def test_no_texture_and_a_strip():
    assert len(pack_textures([])) == 0
    strip = pack_textures([noise(1, 3000)], largest=64)
    assert strip.size.tolist() == [[64, 1]]


def test_joined_textures_keep_their_numbers():
    first, second = [noise(4, 4), noise(5, 3, 1)], [noise(8, 2, 2), noise(1, 1, 3)]
    joined = join_textures(pack_textures(first), pack_textures(second))
    whole = pack_textures(first + second)
    assert torch.equal(joined.texels, whole.texels)
    assert torch.equal(joined.start, whole.start)
    assert torch.equal(joined.size, whole.size)
    moved = joined.to(torch.device("meta"))
    assert moved.texels.is_meta
    assert moved.start.is_meta
    assert moved.size.is_meta


@pytest.mark.parametrize(("height", "width"), [(2, 2), (8, 8), (4, 8), (5, 7), (7, 5), (1, 6)])
def test_texels_on_pixels_are_the_texture(render, straight, rectangle, height, width):
    texture, size = noise(height, width), max(height, width)
    x, z = width / size / 2, height / size / 2
    picture = image_of(render([rectangle(-x, x, -z, z, texture=texture)], straight(), size=size))
    if (size - height) % 2 == (size - width) % 2 == 0:
        top, left = (size - height) // 2, (size - width) // 2
        np.testing.assert_allclose(picture[top : top + height, left : left + width], texture / 255, atol=1e-4)
    else:  # the middle of the picture lies on a texel's edge
        rows = picture[(picture > 0).any((1, 2))]
        assert abs(len(rows) - height) <= 1


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 5), (8, 1)])
def test_magnified_textures_are_bilinear_and_repeat(render, straight, rectangle, height, width):
    texture = noise(height, width, 4)
    middle = (np.arange(40) + 0.5) / 40
    u, v = np.meshgrid(middle, middle[::-1])
    for repeat, shift in ((1.0, 0.0), (2.0, -1.3), (-1.5, 7.25)):
        surface = rectangle(texture=texture, repeat=repeat, shift=shift)
        picture = image_of(render([surface], straight(), size=40))
        np.testing.assert_allclose(picture, bilinear(texture, u * repeat + shift, v * repeat + shift), atol=2e-3)


def test_bilinear_by_hand(render, straight, rectangle):
    texture = np.array([[[0, 0, 0], [200, 100, 40]], [[40, 0, 0], [80, 20, 0]]], np.uint8)
    picture = image_of(render([rectangle(texture=texture)], straight(), size=8)) * 255
    # pixel (row 2, column 3): u = 3.5 / 8 and v = 5.5 / 8: ⅜ of a texel right of, ⅛ below the first one's middle
    across, down = 0.375, 0.125
    upper, lower = texture[0, 0] * (1 - across) + texture[0, 1] * across, texture[1] * 1.0
    lower = lower[0] * (1 - across) + lower[1] * across
    np.testing.assert_allclose(picture[2, 3], upper * (1 - down) + lower * down, atol=0.02)


def test_half_size_textures_are_means_of_four_texels(render, straight, rectangle):
    texture = noise(32, 32, 5)
    surface = rectangle(texture=texture)
    for size in (16, 8):
        expected = texture.astype(float)
        while len(expected) > size:
            expected = halved(expected)
        picture = image_of(render([surface], straight(), size=size))
        np.testing.assert_allclose(picture, expected / 255, atol=0.6 / 255)
    # Four samples a pixel read the level above: the same mean.
    np.testing.assert_allclose(
        image_of(render([surface], straight(), size=16, samples=2)), halved(texture.astype(float)) / 255, atol=1e-4
    )


def test_fine_textures_do_not_alias(render, straight, rectangle):
    texture = np.repeat(np.random.default_rng(6).integers(0, 2, (126, 126, 1)) * 255, 3, 2).astype(np.uint8)
    truth = texture.reshape(9, 14, 9, 14, 3).mean((1, 3)) / 255
    picture = image_of(render([rectangle(texture=texture)], straight(), size=9))
    assert np.sqrt(((picture - truth) ** 2).mean()) < 0.05
    middle = (np.arange(9) + 0.5) / 9
    aliased = bilinear(texture, *np.meshgrid(middle + 0.002, middle[::-1] + 0.002))
    assert np.sqrt(((aliased - truth) ** 2).mean()) > 0.2  # the texture at full size fails


def test_checkerboard_is_grey_far_away_and_sharp_nearby(render, around):
    board = np.kron([[0, 1], [1, 0]], np.ones((8, 8)))[..., None].repeat(3, 2) * 255
    corner = np.array([[-60, -60, -0.5], [60, -60, -0.5], [60, 60, -0.5], [-60, 60, -0.5]], np.float32)
    surface = Material((1.0, 1.0, 1.0), board.astype(np.uint8))
    ground = build_mesh("ground", corner, np.array([[0, 1, 2], [0, 2, 3]]), (surface,), uv=corner[:, :2] * 2)
    pictures = render([ground], around([20.0], [15.0], distance=1.0, focal=1.5), ("rgba", "depth"), size=64)
    grey, depth = pictures["rgba"][0, 0], pictures["depth"][0, 0]
    far = depth > 14
    near = (depth > 0) & (depth < 2.2)
    assert far.sum() > 200
    assert (grey[far] - 0.5).abs().max() < 0.02
    assert grey[near].std() > 0.35


def cube_side(render, camera, box, image, **rows):
    """One side of a unit cube, which fills the picture, with a texture of another mesh."""
    cube = box([-0.5] * 3, [0.5] * 3, (0.1, 0.9, 0.4))
    packed = pack_meshes([cube])
    packed = type(packed)(**{**vars(packed), "textures": pack_textures([noise(3, 3), image])})
    return image_of(render(packed, camera, size=len(image), **rows))


def test_more_texels_than_int32_can_count_are_refused(monkeypatch):
    small = pack_textures([noise(4, 4)])  # 16 + 4 + 1 texels
    monkeypatch.setattr(textures, "_MOST_TEXELS", 42)
    both = join_textures(small, small)
    assert both.start[1, 0] == 21
    assert len(pack_textures([noise(4, 4)] * 2)) == 2
    with pytest.raises(MeshError, match=r"more than 42 texels: 3 of 5 textures have 63, .*lower texture_size"):
        pack_textures([noise(4, 4)] * 5)
    with pytest.raises(MeshError, match="more than 42 texels: 3 of 3 textures have 63"):
        join_textures(both, small)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "mirrored"),
    [(0, 0, False), (90, 0, False), (180, 0, True), (-90, 0, True), (0, 90, False)],
)
def test_a_texture_over_the_whole_object_is_mapped_along_the_axes(render, around, box, azimuth, elevation, mirrored):
    texture = noise(4, 4, 7)
    camera = around([float(azimuth)], [float(elevation)], distance=2.5, focal=2.0)
    picture = cube_side(render, camera, box, texture, texture=torch.tensor([1]), texture_repeat=torch.ones(1))
    # The origin, uv (0, 0), is the lower left corner of the texture and the middle of the picture.
    expected = np.roll(texture, (2, 2), (0, 1)) / 255
    np.testing.assert_allclose(picture, expected[:, ::-1] if mirrored else expected, atol=1e-3)


def test_a_texture_over_the_whole_object_repeats_and_is_filtered(render, around, box):
    texture = noise(16, 16, 8)
    camera = around([0.0], [0.0], distance=2.5, focal=2.0)
    twice = {"texture": torch.tensor([1]), "texture_repeat": torch.tensor([2.0])}
    picture = cube_side(render, camera, box, texture, **twice)
    np.testing.assert_allclose(picture, np.tile(halved(texture.astype(float)), (2, 2, 1)) / 255, atol=0.6 / 255)


def test_own_textures_colours_and_tint_multiply(render, straight, rectangle):
    texture = noise(4, 4, 9)
    surface = rectangle(texture=texture, colour=(0.5, 1.0, 0.8))
    surface.colours[:] = [1.0, 0.5, 0.5]
    tint = torch.tensor([[1.0, 1.0, 0.25]])
    picture = image_of(render([surface], straight(), size=4, tint=tint))
    np.testing.assert_allclose(picture, texture / 255 * [0.5, 0.5, 0.1], atol=1e-4)


def test_each_row_has_its_own_texture_and_tint(straight, rectangle):
    own, other = noise(4, 4, 10), noise(4, 4, 11)
    packed = pack_meshes([rectangle(texture=own, colour=(0.5, 0.5, 0.5)), rectangle(texture=other)])
    views = Views(
        mesh=torch.zeros(3, dtype=torch.long),
        camera=straight(3),
        lights=ambient(torch.ones(3, 3)),
        tint=torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.5]]),
        texture=torch.tensor([-1, 1, 1]),
    )
    pictures = Rasteriser(packed, 4, 1).render(views)["rgba"][:, :3].permute(0, 2, 3, 1).numpy()
    over = np.roll(other, (2, 2), (0, 1)) / 255
    np.testing.assert_allclose(pictures, [own / 510, over, over * [0, 1, 0.5]], atol=1e-4)
