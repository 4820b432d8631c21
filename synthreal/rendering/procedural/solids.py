"""Closed solids with outward faces and texture coordinates: boxes, and skins through cross-sections."""

import numpy as np
from jaxtyping import Float, Int

from synthreal.rendering.mesh import Material, Mesh, build_mesh, smooth_normals

Point = tuple[float, float, float]

# Corners of a box, bottom then top, counter-clockwise from above; then its front, right, back, left, top and bottom.
_CORNERS = np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]) / 2
_SIDES = np.array([[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [4, 5, 6, 7], [3, 2, 1, 0]])
_SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def point(array: Float[np.ndarray, "3"]) -> Point:
    """Returns an array's three numbers as a tuple."""
    x, y, z = array.tolist()
    return x, y, z


def hexahedron(corners: Float[np.ndarray, "8 3"], material: Material, tile: float | None = None) -> Mesh:
    """Returns a solid with six flat sides.

    Args:
        corners: Bottom, then top, each counter-clockwise from above, starting front left.
        material: Its surface.
        tile: Length that the texture covers before it repeats, u along a side's longer edge; by default it is stretched
            once over each side, upright.
    """
    quads = corners[_SIDES]
    uv = np.broadcast_to(_SQUARE, (6, 4, 2))
    if tile is not None:
        edges = np.linalg.norm(quads[:, [1, 3]] - quads[:, :1], axis=2)
        uv = _SQUARE * edges[:, None] / tile
        uv = np.where((edges[:, 0] < edges[:, 1])[:, None, None], uv[..., ::-1], uv)
    faces = (np.arange(6)[:, None, None] * 4 + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    vertices = quads.reshape(-1, 3)
    return build_mesh("box", vertices, faces, (material,), uv=uv.reshape(-1, 2))


def box(
    size: Point,
    centre: Point,
    material: Material,
    taper: tuple[float, float] = (1.0, 1.0),
    lean: tuple[float, float] = (0.0, 0.0),
    tile: float | None = None,
) -> Mesh:
    """Returns a box whose top may be smaller than its bottom, or stand beside it.

    Args:
        size: Extent of the bottom along x and y, and the height.
        centre: Middle of the bottom along x and y, and half-way up.
        material: Its surface.
        taper: Extent of the top along x and y, relative to the bottom.
        lean: How far the top's middle lies from the bottom's along x and y.
        tile: See `hexahedron`.
    """
    corners = _CORNERS * np.array(size)
    corners[4:, :2] = corners[4:, :2] * np.array(taper) + np.array(lean)
    return hexahedron(corners + np.array(centre), material, tile)


def loft(
    sections: Float[np.ndarray, "r c 3"],
    material: Material,
    ring: bool = False,
    repeat: tuple[float, float] = (1.0, 1.0),
    cap: Material | None = None,
) -> Mesh:
    """Returns the smooth skin through closed cross-sections, its ends closed.

    A section, or a point of every section, that is given twice makes a hard edge. The sections may run either way.

    Args:
        sections: Points of each; the last joins the first.
        material: Surface of the skin: u runs along the sections, v from the first to the last.
        ring: Joins the last section to the first instead of closing the ends.
        repeat: How often the texture repeats along u and v.
        cap: Surface of the ends, its texture laid flat over them; `material` by default.
    """
    parts = [_skin(sections, ring, repeat)]
    if not ring:
        parts += [_end(sections[0, ::-1]), _end(sections[-1])]
    first = np.cumsum([0, *(len(part[0]) for part in parts)])
    vertices, uv = np.concatenate([part[0] for part in parts]), np.concatenate([part[3] for part in parts])
    faces, owner = (np.concatenate([part[k] + at for part, at in zip(parts, first, strict=False)]) for k in (1, 2))
    # Six times the volume: negative if the sections run the other way.
    if np.linalg.det(vertices[faces]).sum() < 0:
        faces = faces[:, ::-1]
    end = (np.arange(len(faces)) >= len(parts[0][1])).astype(np.int32)
    materials = (material, material if cap is None else cap)
    return build_mesh(
        "loft", vertices, faces, materials, smooth_normals(vertices, owner[faces])[owner], uv, material=end
    )


_Part = tuple[
    Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"], Int[np.ndarray, " v"], Float[np.ndarray, "v 2"]
]  # vertices, faces, the vertex whose normal each shares, uv


def _skin(sections: Float[np.ndarray, "r c 3"], ring: bool, repeat: tuple[float, float]) -> _Part:
    """The sides of a loft. The seams have a vertex for either end of the texture, and one normal."""
    rows, columns = sections.shape[:2]
    grid = np.concatenate([sections, sections[:, :1]], 1)
    if ring:
        grid = np.concatenate([grid, grid[:1]])
    i, j = np.indices(grid.shape[:2])
    at = i * (columns + 1) + j
    a, b, c, d = (corner.ravel() for corner in (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    u, v = _progress(grid.swapaxes(0, 1))[j], _progress(grid)[i]
    uv = np.stack([u.ravel() * repeat[0], v.ravel() * repeat[1]], 1)
    return grid.reshape(-1, 3), faces, at[i % rows, j % columns].ravel(), uv


def _progress(rows: Float[np.ndarray, "r c 3"]) -> Float[np.ndarray, " r"]:
    """How far each row lies on the way from the first (0) to the last (1), by the mean distance."""
    way = np.sqrt((np.diff(rows, axis=0) ** 2).sum(2)).mean(1).cumsum()
    return np.concatenate([[0.0], way / max(way[-1], 1e-12)])


def _end(loop: Float[np.ndarray, "c 3"]) -> _Part:
    """A flat end, counter-clockwise from its front, of rungs between the first and last points, the second and so on.

    That suits convex loops and curved thin ones. Its texture is centred, once over its longer side.
    """
    k, count = np.arange((len(loop) - 1) // 2), len(loop)
    faces = np.concatenate([np.stack([k, k + 1, count - 2 - k], 1), np.stack([k, count - 2 - k, count - 1 - k], 1)])
    low, high = loop.min(0), loop.max(0)
    plane = np.sort(np.argsort(low - high, kind="stable")[:2])
    uv = 0.5 + (loop - (low + high) / 2)[:, plane] / max((high - low).max(), 1e-12)
    return loop, faces, np.arange(count), uv
