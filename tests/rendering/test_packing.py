import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from synthreal.errors import MeshError
from synthreal.rendering.mesh import Material, build_mesh, merge_meshes
from synthreal.rendering.packing import PackedMeshes, pack_meshes

NOISE = np.random.default_rng(0).integers(0, 256, (8, 16, 3)).astype(np.uint8)


@pytest.fixture
def scene(rectangle, box, sphere):
    """Three meshes; the second has four materials, two of them with textures of their own."""
    parts = [
        rectangle(texture=NOISE),
        box([-0.1, -0.3, -0.1], [0.1, -0.2, 0.1], (0.1, 0.2, 0.3)),
        rectangle(0, 0.4, 0, 0.4, -0.1, texture=255 - NOISE[:5, :7], colour=(0.5, 1, 1), specular=0.25, shininess=4.0),
        box([-0.4, -0.3, -0.4], [-0.3, -0.2, -0.3], (0.9, 0.8, 0.7)),
    ]
    return [sphere(subdivisions=1, colour=(0.2, 0.4, 0.6)), merge_meshes("many", parts), rectangle(texture=NOISE[:4])]


def corners_with_colour(vertices, faces, colour, texture_size):
    """Each face as its corners, material colour and texture size: what is drawn, in no order."""
    rows = np.concatenate([vertices[faces].reshape(len(faces), 9), colour, texture_size], 1)
    return rows[np.lexsort(rows.T)]


def test_every_mesh_is_found_again(scene):
    packed = pack_meshes(scene)
    assert packed.names == ("sphere", "many", "rectangle")
    assert len(packed) == 3
    assert packed.textures.size.tolist() == [[16, 8], [7, 5], [16, 4]]
    assert packed.surface_texture.tolist() == [-1, 0, -1, 1, -1, 2]
    np.testing.assert_allclose(packed.surface_gloss[3].numpy(), [0.25, 4])
    for i, mesh in enumerate(scene):
        own = slice(packed.vertex_start[i], packed.vertex_start[i + 1])
        for name in ("vertices", "normals", "uv", "colours"):
            np.testing.assert_array_equal(getattr(packed, name)[own].numpy(), getattr(mesh, name))
        rows = slice(packed.face_start[i], packed.face_start[i + 1])
        surface = packed.material[rows].long()
        sizes = torch.cat([packed.textures.size, torch.zeros(1, 2, dtype=torch.int32)])
        textures = [mesh.materials[k].texture for k in mesh.material]
        found = corners_with_colour(
            packed.vertices.numpy(),
            packed.faces[rows].numpy(),
            packed.surface_colour[surface].numpy(),
            sizes[packed.surface_texture[surface].long()].numpy(),
        )
        expected = corners_with_colour(
            mesh.vertices,
            mesh.faces,
            np.array([mesh.materials[k].colour for k in mesh.material], np.float32),
            np.array([(0, 0) if t is None else t.shape[1::-1] for t in textures]),
        )
        np.testing.assert_array_equal(found, expected)


def test_order_of_faces_does_not_matter(scene):
    shuffled = []
    for mesh in scene:
        order = np.random.default_rng(3).permutation(len(mesh.faces))
        shuffled.append(replace(mesh, faces=mesh.faces[order], material=mesh.material[order]))
    first, second = pack_meshes(scene).tensors(), pack_meshes(shuffled).tensors()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_density_by_hand(rectangle):
    texture = np.zeros((4, 8, 3), np.uint8)  # √32 texels a side
    meshes = [
        rectangle(texture=texture),
        rectangle(texture=texture, repeat=3.0),  # three times as many in the same place
        rectangle(-0.25, 0.25, -0.25, 0.25, texture=texture),  # half the side
        rectangle(-2, 2, -0.5, 0.5, texture=texture),  # four times as long
        rectangle(),
    ]
    density = pack_meshes(meshes).density
    root = math.sqrt(32)
    expected = torch.tensor([root, 3 * root, 2 * root, root / 2, 0.0]).repeat_interleave(2)
    torch.testing.assert_close(density, expected)
    small = pack_meshes(meshes, texture_size=4)  # 4 × 2 texels
    torch.testing.assert_close(small.density, expected / 2)


def test_radius_is_the_farthest_vertex(rectangle, sphere):
    packed = pack_meshes([rectangle(-1, 2, -3, 0.5), sphere(0.25, 2)])
    torch.testing.assert_close(packed.radius, torch.tensor([math.sqrt(13), 0.25]))


def test_saved_and_loaded_meshes_are_the_same(scene, render, cameras, tmp_path):
    packed = pack_meshes(scene)
    torch.save(packed.tensors(), tmp_path / "meshes.pt")
    loaded = PackedMeshes.from_tensors(packed.names, torch.load(tmp_path / "meshes.pt", weights_only=True))
    assert loaded.names == packed.names
    camera = cameras(6)
    pictures = [render(meshes, camera, mesh=torch.arange(6) % 3)["rgba"] for meshes in (packed, loaded)]
    assert torch.equal(*pictures)
    assert pictures[0].std() > 0.1


def test_every_tensor_moves(scene):
    moved = pack_meshes(scene).to(torch.device("meta"))
    assert all(tensor.is_meta for tensor in moved.tensors().values())
    assert set(moved.tensors()) == {f.name for f in fields(PackedMeshes)} - {"names", "textures"} | {
        "textures.texels",
        "textures.start",
        "textures.size",
    }


def test_nothing_to_pack():
    with pytest.raises(MeshError, match="no mesh"):
        pack_meshes([])


def test_of_equal_faces_the_first_material_is_seen(render, straight):
    corner = np.array([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]], np.float32)
    red, blue = Material((1.0, 0.0, 0.0)), Material((0.0, 0.0, 1.0))
    faces = np.array([[0, 1, 2], [0, 2, 3]] * 2)
    for material in ([0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 0, 1]):
        both = build_mesh("twice", corner, faces, (red, blue), material=np.array(material))
        picture = render([both], straight())["rgba"]
        assert (picture[0, 0] == 1).all()
        assert not picture[0, 2].any()
