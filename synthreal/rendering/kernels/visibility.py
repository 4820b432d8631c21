"""Which face each sample sees.

Every sample keeps the smallest key (inverted depth, face), so the picture does not depend on the order of the faces.
"""

import warp as wp

from synthreal.rendering.kernels.inputs import Meshes, Rows

wp.set_module_options({"enable_backward": False})

EMPTY = wp.constant(wp.uint64(0xFFFFFFFFFFFFFFFF))
NEAR = wp.constant(0.01)
# Neighbours round their shared edge differently; this much overlap, relative to a face, leaves no crack.
OVERLAP = wp.constant(-1.0e-5)


@wp.struct
class Lens:
    """One camera and its picture, small enough to be passed by value a million times."""

    eye: wp.vec3
    rotation: wp.mat33
    scale: wp.float32
    pixel: wp.float32
    centre: wp.vec2


@wp.func
def lens_of(rows: Rows, i: wp.int32, width: wp.int32, height: wp.int32) -> Lens:
    """The camera of image i; `scale` and `centre` in samples."""
    lens = Lens()
    lens.eye = rows.eye[i]
    lens.rotation = rows.rotation[i]
    lens.scale = rows.focal[i] * float(width)
    lens.pixel = 1.0 / lens.scale
    shift = rows.principal[i]
    lens.centre = wp.vec2(float(width) * (0.5 + shift[0]), 0.5 * float(height) + float(width) * shift[1])
    return lens


@wp.func
def in_camera(lens: Lens, point: wp.vec3) -> wp.vec3:
    """Right, up and depth of a point before a camera."""
    q = lens.rotation * (point - lens.eye)
    return wp.vec3(q[0], q[1], -q[2])


@wp.func
def on_screen(lens: Lens, q: wp.vec3) -> wp.vec3:
    """Sample column, sample row and 1 / depth of a point in camera axes; -1 for what lies before the near plane."""
    inverse = 1.0 / wp.max(q[2], NEAR)
    scale = lens.scale * inverse
    return wp.vec3(lens.centre[0] + q[0] * scale, lens.centre[1] - q[1] * scale, wp.where(q[2] >= NEAR, inverse, -1.0))


@wp.func
def cut(inside: wp.vec3, outside: wp.vec3) -> wp.vec3:
    """Where the line between two points in camera axes meets the near plane."""
    q = inside + (outside - inside) * ((inside[2] - NEAR) / (inside[2] - outside[2]))
    return wp.vec3(q[0], q[1], NEAR)


@wp.func
def clip(p: wp.vec3, q: wp.vec3, r: wp.vec3):
    """The part of a triangle beyond the near plane: a polygon of four corners, the last two equal if it has three."""
    if (p[2] >= NEAR) == (r[2] >= NEAR):  # q is alone on its side of the plane
        p, q, r = q, r, p
    elif (p[2] >= NEAR) == (q[2] >= NEAR):  # r is
        p, q, r = r, p, q
    if p[2] >= NEAR:
        last = cut(p, r)
        return p, cut(p, q), last, last
    return cut(q, p), q, r, cut(r, p)


@wp.func
def least(a: float, b: float) -> float:
    """The smaller number, in one instruction: `wp.min` minds NaN."""
    return wp.where(a < b, a, b)


@wp.func
def most(a: float, b: float) -> float:
    """The larger number."""
    return wp.where(a > b, a, b)


@wp.func
def fill(a: wp.vec3, b: wp.vec3, c: wp.vec3, i: wp.int32, face: wp.int32, visible: wp.array3d(dtype=wp.uint64)):
    """Enters a triangle on screen into the samples that it covers."""
    # Most faces of a fine mesh lie between the samples: leave as early as that shows.
    low_x = most(wp.ceil(least(a[0], least(b[0], c[0])) - 0.5), 0.0)
    high_x = least(wp.floor(most(a[0], most(b[0], c[0])) - 0.5), float(visible.shape[2] - 1))
    if high_x < low_x:
        return
    low_y = most(wp.ceil(least(a[1], least(b[1], c[1])) - 0.5), 0.0)
    high_y = least(wp.floor(most(a[1], most(b[1], c[1])) - 0.5), float(visible.shape[1] - 1))
    if high_y < low_y:
        return
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if area == 0.0:
        return
    r = 1.0 / area
    ax = (b[1] - c[1]) * r
    ay = (c[0] - b[0]) * r
    bx = (c[1] - a[1]) * r
    by = (a[0] - c[0]) * r
    left = int(low_x)
    right = int(high_x)
    bottom = int(high_y)
    y = int(low_y)
    while y <= bottom:
        dy = float(y) + 0.5 - c[1]
        x = int(left)
        while x <= right:
            dx = float(x) + 0.5 - c[0]
            wa = ax * dx + ay * dy
            wb = bx * dx + by * dy
            wc = 1.0 - wa - wb
            if least(wa, least(wb, wc)) >= OVERLAP:
                inverse = most(wa * a[2] + wb * b[2] + wc * c[2], 0.0)
                # The bits of positive floats sort like the floats: the nearest sample has the smallest key.
                depth = wp.uint64(wp.uint32(0x7FFFFFFF) - wp.cast(inverse, wp.uint32))
                wp.atomic_min(visible, i, y, x, (depth << wp.uint64(32)) | wp.uint64(face))
            x += 1
        y += 1


@wp.func
def enter_face(
    vertices: wp.array(dtype=wp.vec3),
    t: wp.vec3i,
    screen: wp.array(dtype=wp.vec3),
    shift: wp.int32,
    lens: Lens,
    i: wp.int32,
    face: wp.int32,
    visible: wp.array3d(dtype=wp.uint64),
):
    """Enters one face into the samples of image i; vertex v is on screen at row `shift` + v."""
    a = screen[shift + t[0]]
    b = screen[shift + t[1]]
    c = screen[shift + t[2]]
    d = c
    parts = int(1)
    if least(a[2], least(b[2], c[2])) < 0.0:
        hidden = int(a[2] < 0.0) + int(b[2] < 0.0) + int(c[2] < 0.0)
        if hidden == 3:
            return
        p, q, r, s = clip(
            in_camera(lens, vertices[t[0]]), in_camera(lens, vertices[t[1]]), in_camera(lens, vertices[t[2]])
        )
        a = on_screen(lens, p)
        b = on_screen(lens, q)
        c = on_screen(lens, r)
        d = on_screen(lens, s)
        if hidden == 1:
            parts = int(2)
    while parts > 0:
        fill(a, b, c, i, face, visible)
        b = c
        c = d
        parts -= 1


@wp.kernel
def see_image(meshes: Meshes, rows: Rows, screen: wp.array(dtype=wp.vec3), visible: wp.array3d(dtype=wp.uint64)):
    """One image a thread: on a CPU the vertices of one mesh then stay in its cache."""
    i = wp.tid()
    mesh = rows.mesh[i]
    first = meshes.vertex_start[mesh]
    first_face = meshes.face_start[mesh]
    lens = lens_of(rows, i, visible.shape[2], visible.shape[1])
    for v in range(meshes.vertex_start[mesh + 1] - first):
        screen[v] = on_screen(lens, in_camera(lens, meshes.vertices[first + v]))
    for face in range(meshes.face_start[mesh + 1] - first_face):
        enter_face(meshes.vertices, meshes.faces[first_face + face], screen, -first, lens, i, face, visible)


@wp.kernel
def see_vertices(
    meshes: Meshes,
    rows: Rows,
    stride: wp.int32,
    screen: wp.array(dtype=wp.vec3),
    visible: wp.array3d(dtype=wp.uint64),
):
    """One vertex a thread, on a GPU."""
    i, v = wp.tid()
    mesh = rows.mesh[i]
    first = meshes.vertex_start[mesh]
    if v < meshes.vertex_start[mesh + 1] - first:
        lens = lens_of(rows, i, visible.shape[2], visible.shape[1])
        screen[i * stride + v] = on_screen(lens, in_camera(lens, meshes.vertices[first + v]))


@wp.kernel
def see_faces(
    meshes: Meshes,
    rows: Rows,
    stride: wp.int32,
    screen: wp.array(dtype=wp.vec3),
    visible: wp.array3d(dtype=wp.uint64),
):
    """One face a thread, on a GPU, after `see_vertices`."""
    i, face = wp.tid()
    mesh = rows.mesh[i]
    first = meshes.face_start[mesh]
    if face < meshes.face_start[mesh + 1] - first:
        lens = lens_of(rows, i, visible.shape[2], visible.shape[1])
        shift = i * stride - meshes.vertex_start[mesh]
        enter_face(meshes.vertices, meshes.faces[first + face], screen, shift, lens, i, face, visible)
