import numpy as np
import pytest
from PIL import Image

from synthreal.errors import MeshError
from synthreal.rendering.mesh_files import read_mesh

TWO_MATERIALS = """mtllib two.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0.25 0.25
vt 0.75 0.25
vt 0.75 0.75
vt 0.25 0.75
usemtl painted
f 1/1 2/2 3/3
f 1/1 3/3 4/4
v 0 0 2
v 1 0 2
v 0 1 2
usemtl plain
f 5 6 7
"""
MTL = """newmtl painted
Kd 0.4 0.4 0.4
map_Kd {image}
newmtl plain
Kd 0.2 0.4 0.6
Ks 0.3 0.3 0.6
Ns 50
"""
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def write(folder, image="map.png", mtl=MTL):
    folder.mkdir(exist_ok=True)
    (folder / "two.obj").write_text(TWO_MATERIALS)
    (folder / "two.mtl").write_text(mtl.format(image=image))
    return folder / "two.obj"


def surfaces(mesh):
    """The textured material and the other one, by the number of their faces."""
    painted, plain = sorted(range(2), key=lambda i: -(mesh.material == i).sum())
    assert [(mesh.material == i).sum() for i in (painted, plain)] == [2, 1]
    return mesh.materials[painted], mesh.materials[plain]


CORNERS = {(-1, -1): BLUE, (1, -1): YELLOW, (1, 1): GREEN, (-1, 1): RED}


def corner_colours(one, texel):
    """Colour of the texel at each corner of the painted square (left or right, below or above); checks the rest."""
    mesh = one.mesh
    painted, plain = surfaces(mesh)
    assert painted.colour == (1, 1, 1)  # a texture stands for Kd
    assert plain.colour == pytest.approx((0.2, 0.4, 0.6))  # display values as they are
    assert plain.texture is None
    assert (plain.specular, plain.shininess) == (pytest.approx(0.4), 50)
    assert painted.specular == 0
    seen = set(mesh.faces[mesh.material == mesh.materials.index(painted)].ravel().tolist())
    # The box is 1 × 1 × 2; the painted square lies at the file's z = 0, which is at the back: y = +1/2.
    colour = {tuple(np.sign(mesh.vertices[i, [0, 2]])): texel(mesh, i) for i in seen}
    np.testing.assert_allclose(mesh.vertices[list(seen), 1], 0.5)
    assert one.remarks == ()
    return colour


@pytest.mark.parametrize(
    "image", ["map.png", "./maps/map.png", "maps\\map.png", "-s 1 1 1 map.png", "/home/someone/else/map.png"]
)
def test_each_material_keeps_its_colours(tmp_path, corners, texel, image):
    path = write(tmp_path, image)
    (tmp_path / "maps").mkdir()
    (tmp_path / "map.png").write_bytes(corners)
    (tmp_path / "maps" / "map.png").write_bytes(corners)
    assert corner_colours(read_mesh(path), texel) == CORNERS


def test_textures_one_folder_above(tmp_path, corners, texel):
    path = write(tmp_path / "models", "../images/map.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "map.png").write_bytes(corners)
    assert corner_colours(read_mesh(path), texel) == CORNERS


def test_textures_from_anywhere_else_are_not_opened(tmp_path, corners):
    (tmp_path / "a").mkdir()
    path = write(tmp_path / "a" / "b", "../../map.png")
    (tmp_path / "map.png").write_bytes(corners)
    one = read_mesh(path)
    assert surfaces(one.mesh)[0].texture is None
    assert "map.png" in one.remarks[0]


def test_missing_texture_leaves_kd(tmp_path):
    one = read_mesh(write(tmp_path))
    painted, plain = surfaces(one.mesh)
    assert painted.texture is None
    assert painted.colour == pytest.approx((0.4, 0.4, 0.4))
    assert plain.colour == pytest.approx((0.2, 0.4, 0.6))
    assert one.remarks == ("failed to load image: no file 'map.png' beside it",)


def test_image_that_is_no_image_leaves_kd(tmp_path):
    (tmp_path / "map.png").write_text("no image")
    one = read_mesh(write(tmp_path))
    assert surfaces(one.mesh)[0].colour == pytest.approx((0.4, 0.4, 0.4))
    assert "cannot identify" in one.remarks[0]


def test_missing_mtl_leaves_grey(tmp_path):
    path = write(tmp_path)
    (tmp_path / "two.mtl").unlink()
    one = read_mesh(path)
    assert {(surface.colour, surface.texture) for surface in one.mesh.materials} == {((0.8, 0.8, 0.8), None)}
    assert any("two.mtl" in remark for remark in one.remarks)


@pytest.mark.parametrize("line", ["Ns 0", "illum 1"])
def test_matt_materials_have_no_highlight(tmp_path, line):
    plain = surfaces(read_mesh(write(tmp_path, mtl=MTL + line + "\n")).mesh)[1]
    assert plain.specular == 0


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        *[(line, True) for line in ("d 0.1", "d -halo 0.1", "map_d holes.png", "Tr 0.5")],
        # files disagree about which end of Tr is opaque
        *[(line, False) for line in ("d 1", "d 1\nTr 0.5", "Tr 0", "Tr 1")],
    ],
)
def test_transparency_is_remarked(tmp_path, corners, line, lost):
    (tmp_path / "map.png").write_bytes(corners)
    remarks = read_mesh(write(tmp_path, mtl=MTL + line + "\n")).remarks
    assert [("transparency" in remark) for remark in remarks] == [True] * lost


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_a_texture_hides_gets_the_mean_of_what_it_shows(tmp_path, mode):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0] = [(200, 200, 200, 255), (100, 100, 100, 255)]
    image = Image.fromarray(pixels).convert("LA" if mode == "LA" else "RGBA")
    if mode == "P":
        image = Image.fromarray(np.array([[2, 1], [0, 0]], np.uint8), "L").convert("P")
        image.putpalette([0, 0, 0, 100, 100, 100, 200, 200, 200])
        image.info["transparency"] = 0
    image.save(tmp_path / "map.png")
    one = read_mesh(write(tmp_path))
    assert surfaces(one.mesh)[0].texture[..., 0].tolist() == [[200, 100], [150, 150]]
    assert one.remarks == ("the transparency of a texture is left out",)


def test_a_texture_that_hides_nothing_is_not_remarked(tmp_path):
    for alpha, hidden in ((255, 0), (0, 1)):  # with nothing to show, colours stay as they are
        Image.fromarray(np.full((2, 2, 4), (10, 20, 30, alpha), np.uint8)).save(tmp_path / "map.png")
        one = read_mesh(write(tmp_path))
        assert surfaces(one.mesh)[0].texture.reshape(-1, 3).tolist() == [[10, 20, 30]] * 4
        assert len(one.remarks) == hidden


def test_16_bits_of_grey_become_8(tmp_path):
    Image.fromarray(np.array([[0x1000, 0x8000], [0xC0FF, 0xFFFF]], np.uint16)).save(tmp_path / "map.png")
    texture = surfaces(read_mesh(write(tmp_path)).mesh)[0].texture
    assert texture[..., 1].tolist() == [[0x10, 0x80], [0xC0, 0xFF]]


@pytest.mark.parametrize("line", ["Kd red", "Kd nan nan nan", "Ks 1 2", "Ns", "illum", "Kd"])
def test_senseless_mtl_lines_do_no_harm(tmp_path, line):
    for surface in read_mesh(write(tmp_path, mtl=MTL + line + "\n")).mesh.materials:
        assert all(0 <= value <= 1 for value in surface.colour)
        assert 0 <= surface.specular <= 1


def test_quads_and_polygons_become_triangles(tmp_path):
    places = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv -0.5 0.5 0\n"
    for faces in ("f 1 2 3 4 5\n", "f 1 2 3 4\nf 4 5 1\n"):
        (tmp_path / "a.obj").write_text(places + faces)
        mesh = read_mesh(tmp_path / "a.obj").mesh
        corner = mesh.vertices[mesh.faces]
        area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).sum() / 2
        assert len(mesh.faces) == 3
        assert area == pytest.approx(1.25 / 1.5**2)


L_SHAPE = "v 0 0 0\nv 1 0 0\nv 1 0.5 0\nv 0.5 0.5 0\nv 0.5 1 0\nv 0 1 0\n"


@pytest.mark.parametrize("other", ["", "f 1 2 4\n", "f 1/1 2/1 4/1\n"])
@pytest.mark.parametrize(
    ("face", "wrong"),
    [("2 3 4 5 6 1", True), ("6 5 4 3 2 1", True), ("-5 -4 -3 -2 -1 -6", True), ("4 5 6 1 2 3", False)],
)
def test_concave_polygons_that_come_out_wrong_are_remarked(tmp_path, other, face, wrong):
    (tmp_path / "a.obj").write_text(f"{L_SHAPE}{other}f {face}\n")
    remarks = read_mesh(tmp_path / "a.obj").remarks
    assert any("1 concave polygon" in remark for remark in remarks) == wrong


def test_convex_polygons_and_broken_numbers_are_not_remarked(tmp_path):
    for faces in ("f 1 2 3 4\n", "f 1 2 3 5\nf 2 3 4\n"):
        (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0.01\nv -1 0.5 0.02\n" + faces)
        assert read_mesh(tmp_path / "a.obj").remarks == ()


def test_normals_of_the_file(tmp_path):
    (tmp_path / "a.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvn 0 0.6 0.8\nf 1/1/1 2/1/1 3/1/1\nf 1/1/1 3/1/1 4/1/1\n"
    )
    mesh = read_mesh(tmp_path / "a.obj").mesh
    np.testing.assert_allclose(mesh.normals, np.tile([[0, -0.8, 0.6]], (len(mesh.normals), 1)), atol=1e-6)


def test_vertex_colours_are_display_colours(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0 0.5 0 1\nv 1 0 0 0.5 0 1\nv 0 1 0 0.5 0 1\nf 1 2 3\n")
    mesh = read_mesh(tmp_path / "a.obj").mesh
    np.testing.assert_allclose(mesh.colours, np.tile([[0.5, 0, 1]], (3, 1)), atol=1e-6)
    assert mesh.materials[0].colour == (1, 1, 1)


def test_relative_indices(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 2 0\nf -3 -2 -1\n")
    assert np.ptp(read_mesh(path).mesh.vertices, axis=0).tolist() == pytest.approx([0.5, 0, 1])
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 2 0\nf -3 -2 -1\nv 0 0 1\nv 1 0 1\nv 0 2 1\nf -3 -2 -1\n")
    with pytest.raises(MeshError, match="relative indices"):
        read_mesh(path)
