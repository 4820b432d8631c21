import base64
import json

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual.material import PBRMaterial

from synthreal.errors import MeshError
from synthreal.rendering.mesh_files import read_mesh

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], np.float32)
QUAD = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
QUAD_FACES = [[0, 1, 2], [0, 2, 3]]
QUAD_UV = np.array([[0.25, 0.75], [0.75, 0.75], [0.75, 0.25], [0.25, 0.25]], np.float32)  # glTF: v runs down
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def read(path, data, up="+y", front="+z"):
    path.write_bytes(data)
    return read_mesh(path, up, front)


def rows(array):
    """Rows as a set: vertices may come in any order."""
    return {tuple(row) for row in np.round(np.asarray(array, float), 5).tolist()}


def test_nodes_place_a_mesh_twice(tmp_path, gltf):
    file = gltf(
        nodes=[
            {"mesh": 0},
            {"children": [2], "translation": [0, 0, 4]},
            {"mesh": 0, "rotation": [0, 0.5**0.5, 0, 0.5**0.5], "scale": [2, 1, 1]},  # +90° about y
        ],
        scenes=[{"nodes": [0, 1]}],
    )
    file.mesh([[0, 1, 2]], POSITION=TRIANGLE)
    mesh = read(tmp_path / "a.glb", file.glb()).mesh
    # In the file: (0,0,0) (1,0,0) (0,2,0), and (0,0,4) (0,0,2) (0,2,4). (x, y, z) becomes (x, -z, y): box 1 × 4 × 2.
    first = [(-0.125, 0.5, -0.25), (0.125, 0.5, -0.25), (-0.125, 0.5, 0.25)]
    second = [(-0.125, -0.5, -0.25), (-0.125, 0, -0.25), (-0.125, -0.5, 0.25)]
    assert rows(mesh.vertices) == set(first + second)
    normal = dict(zip(map(tuple, np.round(mesh.vertices, 5).tolist()), mesh.normals, strict=True))
    for place in first:
        np.testing.assert_allclose(normal[place], [0, -1, 0], atol=1e-6)
    for place in second:
        np.testing.assert_allclose(normal[place], [1, 0, 0], atol=1e-6)
    assert len(mesh.materials) == 1


@pytest.mark.parametrize("mirror", [1, -1])
def test_normals_of_the_file_turn_with_the_surface(tmp_path, gltf, mirror):
    # A plane x + y = 1 in the file, stretched twofold (and mirrored) along x: its normal is (1/2, 1, 0), scaled.
    slope = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]], np.float32)
    file = gltf(nodes=[{"mesh": 0, "scale": [2 * mirror, 1, 1]}])
    file.mesh([[0, 1, 2]], POSITION=slope, NORMAL=np.tile(np.float32([[0.5**0.5, 0.5**0.5, 0]]), (3, 1)))
    mesh = read(tmp_path / "a.glb", file.glb()).mesh
    expected = np.array([mirror * 0.5, 0, 1]) / 1.25**0.5
    np.testing.assert_allclose(mesh.normals, np.tile(expected, (3, 1)), atol=1e-6)
    a, b, c = mesh.vertices[mesh.faces[0]]
    assert np.cross(b - a, c - a) @ expected > 0


def test_a_normal_without_direction_means_normals_are_made(tmp_path, gltf):
    file = gltf()
    file.mesh([[0, 1, 2]], POSITION=TRIANGLE, NORMAL=np.zeros((3, 3), np.float32))
    mesh = read(tmp_path / "a.glb", file.glb()).mesh
    np.testing.assert_allclose(mesh.normals, np.tile([[0, -1, 0]], (3, 1)), atol=1e-6)


def test_linear_factors_become_display_colours(tmp_path, gltf):
    file = gltf(materials=[{"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.2140411, 1.0, 1.0]}}])
    file.mesh([[0, 1, 2]], material=0, POSITION=TRIANGLE)
    surface = read(tmp_path / "a.glb", file.glb()).mesh.materials[0]
    # 1.055 · 0.5^(1/2.4) - 0.055 = 0.7354; 0.2140411 is the linear value of 0.5; trimesh keeps 8 bits of the factor
    np.testing.assert_allclose(surface.colour, [0.7354, 0.5, 1.0], atol=0.005)


@pytest.mark.parametrize(("kind", "half"), [("float32", 0.2140411), ("uint8", 55), ("uint16", 14027)])
@pytest.mark.parametrize("material", [None, 0])
def test_linear_vertex_colours_become_display_colours(tmp_path, gltf, kind, half, material):
    file = gltf(materials=[{"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 1, 1]}}])
    colours = np.array([[half, 0, 0, 0]] * 3, kind)
    file.mesh([[0, 1, 2]], material=material, POSITION=TRIANGLE, COLOR_0=colours)
    mesh = read(tmp_path / "a.glb", file.glb()).mesh
    np.testing.assert_allclose(mesh.colours, np.tile([[0.5, 0, 0]], (3, 1)), atol=0.002)
    assert mesh.materials[0].colour == ((1, 1, 1) if material is None else (1, 0, 1))


def test_what_glows_shows_its_glow(tmp_path, gltf):
    lamp = {"emissiveFactor": [0, 1, 0], "pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}
    file = gltf(materials=[lamp])
    file.mesh([[0, 1, 2]], material=0, POSITION=TRIANGLE)
    assert read(tmp_path / "a.glb", file.glb()).mesh.materials[0].colour == (1, 1, 0)


@pytest.mark.parametrize(("rough", "specular", "shininess"), [(0.5, 0.04 * 38 / 8, 30), (1, 0.045, 1), (0, 0.5, 1000)])
def test_roughness_becomes_a_highlight(tmp_path, gltf, rough, specular, shininess):
    file = gltf(materials=[{"pbrMetallicRoughness": {"roughnessFactor": rough}}])
    file.mesh([[0, 1, 2]], material=0, POSITION=TRIANGLE)
    surface = read(tmp_path / "a.glb", file.glb()).mesh.materials[0]
    assert surface.specular == pytest.approx(specular)
    assert surface.shininess == pytest.approx(shininess)


def textured(gltf, image, **material):
    texture = {"baseColorTexture": {"index": 0, **material}}
    file = gltf(
        materials=[{"pbrMetallicRoughness": {**texture, "baseColorFactor": [1, 1, 0, 1]}}], textures=[{"source": 0}]
    )
    file.header["images"] = [{"bufferView": file.view(image), "mimeType": "image/png"} if image else {}]
    file.mesh(QUAD_FACES, material=0, POSITION=QUAD, TEXCOORD_0=QUAD_UV)
    return file


def check_corners(read, texel):
    mesh = read.mesh
    # Quad in the file's x and y: the picture's lower left is at the quad's lower left.
    colour = {tuple(np.sign(place[[0, 2]])): texel(mesh, i) for i, place in enumerate(mesh.vertices)}
    assert colour == {(-1, -1): BLUE, (1, -1): YELLOW, (1, 1): GREEN, (-1, 1): RED}
    assert read.remarks == ()


def test_embedded_texture_is_the_right_way_up(tmp_path, gltf, corners, texel):
    check_corners(read(tmp_path / "a.glb", textured(gltf, corners).glb()), texel)


@pytest.mark.parametrize("uri", ["Textures/my%20map.png", "Textures/my map.png"])
def test_external_texture(tmp_path, gltf, corners, texel, uri):
    file = textured(gltf, b"")
    file.header["images"] = [{"uri": uri}]
    (tmp_path / "Textures").mkdir()
    (tmp_path / "Textures" / "my map.png").write_bytes(corners)
    check_corners(read(tmp_path / "a.glb", file.glb()), texel)


def test_gltf_with_external_buffer_and_inline_texture(tmp_path, gltf, corners, texel):
    file = textured(gltf, b"")
    file.header["images"] = [{"uri": "data:image/png;base64," + base64.b64encode(corners).decode()}]
    (tmp_path / "a.bin").write_bytes(file.blob)
    header = dict(file.header, buffers=[{"uri": "a.bin", "byteLength": len(file.blob)}])
    header |= {"nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}], "scene": 0}
    check_corners(read(tmp_path / "a.gltf", json.dumps(header).encode()), texel)


def test_large_textures_are_shrunk_on_request(tmp_path, gltf, corners):
    (tmp_path / "a.glb").write_bytes(textured(gltf, corners).glb())
    texture = read_mesh(tmp_path / "a.glb", texture_size=1).mesh.materials[0].texture
    np.testing.assert_allclose(texture, [[[127.5, 127.5, 63.75]]], atol=1)  # the mean


def test_missing_texture_leaves_the_colour(tmp_path, gltf):
    file = textured(gltf, b"")
    file.header["images"] = [{"uri": "lost.png"}]
    one = read(tmp_path / "a.glb", file.glb())
    assert one.mesh.materials[0].texture is None
    assert one.mesh.materials[0].colour == (1, 1, 0)
    assert len(one.remarks) == 1
    assert "lost.png" in one.remarks[0]


@pytest.mark.parametrize("embedded", [True, False])
def test_image_that_is_no_image_leaves_the_colour(tmp_path, gltf, embedded):
    file = textured(gltf, b"no image at all" if embedded else b"")
    if not embedded:
        file.header["images"] = [{"uri": "text.png"}]
        (tmp_path / "text.png").write_text("no image at all")
    one = read(tmp_path / "a.glb", file.glb())
    assert one.mesh.materials[0].texture is None
    assert one.mesh.materials[0].colour == (1, 1, 0)
    assert one.remarks == ("failed to load image: cannot identify image file",)


def test_image_that_ends_early_leaves_the_colour(tmp_path, gltf, corners):
    one = read(tmp_path / "a.glb", textured(gltf, corners[:-30]).glb())
    assert one.mesh.materials[0].texture is None
    assert len(one.remarks) == 1
    assert "failed to decode" in one.remarks[0]


@pytest.mark.parametrize("mode", [None, "OPAQUE", "MASK", "BLEND"])
def test_transparency_is_remarked_and_what_it_hides_filled(tmp_path, gltf, mode):
    pixels = np.array([[[200, 100, 0, 255], [0, 0, 0, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "map.png")
    file = textured(gltf, (tmp_path / "map.png").read_bytes())
    if mode:
        file.header["materials"][0]["alphaMode"] = mode
    one = read(tmp_path / "a.glb", file.glb())
    seen = one.mesh.materials[0].texture[0].tolist()
    if mode in ("MASK", "BLEND"):
        assert one.remarks[0] == f"transparency (alphaMode {mode}) is left out"
        assert seen == [[200, 100, 0]] * 2
    else:  # alpha is to be ignored: glTF 2.0, sec. 3.9.6
        assert one.remarks == ()
        assert seen == [[200, 100, 0], [0, 0, 0]]


def test_texture_transform_is_remarked(tmp_path, gltf, corners):
    turned = {"KHR_texture_transform": {"offset": [0.5, 0]}}
    one = read(tmp_path / "a.glb", textured(gltf, corners, extensions=turned).glb())
    assert "KHR_texture_transform" in one.remarks[0]
    unturned = {"KHR_texture_transform": {"texCoord": 0}}
    assert read(tmp_path / "a.glb", textured(gltf, corners, extensions=unturned).glb()).remarks == ()


def test_second_set_of_coordinates_is_remarked(tmp_path, gltf, corners):
    assert "another one" in read(tmp_path / "a.glb", textured(gltf, corners, texCoord=1).glb()).remarks[0]


def test_what_would_come_out_wrong_is_refused(tmp_path, gltf):
    file = gltf(extensionsRequired=["KHR_draco_mesh_compression"])
    file.mesh([[0, 1, 2]], POSITION=TRIANGLE)
    with pytest.raises(MeshError, match="KHR_draco_mesh_compression"):
        read(tmp_path / "a.glb", file.glb())
    file = gltf(materials=[{}])
    file.mesh(QUAD_FACES, material=0, POSITION=QUAD, TEXCOORD_0=np.zeros((4, 2), np.uint16))
    with pytest.raises(MeshError, match="integers"):
        read(tmp_path / "a.glb", file.glb())
    file = gltf()
    file.mesh([[0, 1, 2]], POSITION=TRIANGLE)
    del file.header["accessors"][0]["bufferView"]
    with pytest.raises(MeshError, match="compressed or sparse"):
        read(tmp_path / "a.glb", file.glb())


def test_points_and_lines_are_remarked_or_refused(tmp_path, gltf):
    file = gltf()
    file.mesh(None, mode=0, POSITION=TRIANGLE)
    with pytest.raises(MeshError, match="points or lines"):
        read(tmp_path / "a.glb", file.glb())
    file.mesh([[0, 1, 2]], POSITION=TRIANGLE)
    assert read(tmp_path / "a.glb", file.glb()).remarks == ("points or lines are left out",)


def test_files_that_trimesh_writes(tmp_path):
    scene = trimesh.Scene()
    box = trimesh.creation.box(extents=[1, 2, 4])
    box.visual = trimesh.visual.TextureVisuals(material=PBRMaterial(baseColorFactor=[255, 0, 0, 255]))
    ball = trimesh.creation.icosphere(radius=0.5)
    ball.visual = trimesh.visual.TextureVisuals(material=PBRMaterial(baseColorFactor=[0, 0, 255, 255]))
    scene.add_geometry(box)
    scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix([0, 0, 6]))
    mesh = read(tmp_path / "a.glb", scene.export(file_type="glb")).mesh
    assert len(mesh.faces) == 12 + len(ball.faces)
    colours = np.array([surface.colour for surface in mesh.materials])
    assert rows(colours) == {(1, 0, 0), (0, 0, 1)}
    # z runs from -2 to 6.5, and to the back: the ball, at z = 6, is in front of the box.
    red = mesh.vertices[mesh.faces[(colours[mesh.material] == [1, 0, 0]).all(axis=1)]].reshape(-1, 3)
    np.testing.assert_allclose(np.ptp(red, axis=0), np.array([1, 4, 2]) / 8.5, atol=1e-5)
    np.testing.assert_allclose(red[:, 1].max(), 0.5, atol=1e-5)
    np.testing.assert_allclose(mesh.vertices[:, 1].min(), -0.5, atol=1e-5)
