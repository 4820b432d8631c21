"""Warp kernels: from the face that each sample sees to pictures, and the box that a mesh takes in them."""

import warp as wp

from synthreal.rendering.kernels.inputs import Meshes, Rows
from synthreal.rendering.kernels.shading import albedo_of, lit
from synthreal.rendering.kernels.visibility import EMPTY, NEAR, Lens, in_camera, lens_of

wp.set_module_options({"enable_backward": False})


@wp.struct
class Canvas:
    """Where the pictures go; a pass that is not wanted is never written."""

    rgba: wp.array4d(dtype=wp.float32)
    depth: wp.array4d(dtype=wp.float32)
    normals: wp.array4d(dtype=wp.float32)
    semantic: wp.array4d(dtype=wp.float32)
    flat: wp.int32
    with_colour: wp.int32
    with_normals: wp.int32
    with_semantic: wp.int32


@wp.func
def sample_ray(lens: Lens, x: float, y: float) -> wp.vec3:
    """World direction through a point of the picture, of depth 1."""
    right = (x - lens.centre[0]) * lens.pixel
    up = (lens.centre[1] - y) * lens.pixel
    return wp.transpose(lens.rotation) * wp.vec3(right, up, -1.0)


@wp.func
def meet(meshes: Meshes, eye: wp.vec3, ray: wp.vec3, t: wp.vec3i) -> wp.vec4:
    """Barycentric weights and depth of the point of a face that a ray meets (Möller and Trumbore 1997)."""
    p = meshes.vertices[t[0]]
    first = meshes.vertices[t[1]] - p
    second = meshes.vertices[t[2]] - p
    h = wp.cross(ray, second)
    determinant = wp.dot(first, h)
    inverse = wp.where(wp.abs(determinant) > 1.0e-20, 1.0 / determinant, 0.0)
    s = eye - p
    q = wp.cross(s, first)
    u = wp.clamp(wp.dot(s, h) * inverse, 0.0, 1.0)
    v = wp.clamp(wp.dot(ray, q) * inverse, 0.0, 1.0 - u)
    # From the weights: of a face seen from its edge the determinant is noise, its points are not.
    depth = wp.dot(first * u + second * v - s, ray) / wp.dot(ray, ray)
    return wp.vec4(1.0 - u - v, u, v, wp.max(depth, NEAR))


@wp.func
def normal_at(meshes: Meshes, t: wp.vec3i, weight: wp.vec3, ray: wp.vec3, flat: wp.int32) -> wp.vec3:
    """Unit normal on the side of the face that the camera sees: surfaces have two."""
    p = meshes.vertices[t[0]]
    across = wp.cross(meshes.vertices[t[1]] - p, meshes.vertices[t[2]] - p)
    n = meshes.normals[t[0]] * weight[0] + meshes.normals[t[1]] * weight[1] + meshes.normals[t[2]] * weight[2]
    if flat != 0 or wp.dot(n, n) < 1.0e-12:
        n = across
    n = wp.normalize(n)
    # Near an outline a smooth normal may lean away from the camera though its face does not.
    if (wp.dot(across, ray) > 0.0) == (wp.dot(across, n) > 0.0):
        n = -n
    return n


@wp.func
def put(table: wp.array4d(dtype=wp.float32), i: wp.int32, y: wp.int32, x: wp.int32, value: wp.vec3):
    """Writes three channels of a pixel."""
    for k in range(3):
        table[i, k, y, x] = value[k]


@wp.func
def colour_at(
    meshes: Meshes,
    rows: Rows,
    i: wp.int32,
    face: wp.int32,
    weight: wp.vec3,
    eye: wp.vec3,
    path: wp.vec3,
    n: wp.vec3,
    pixel: float,
) -> wp.vec3:
    """Colour of the point that lies `path` from the eye; a sample sees `pixel` of length at depth 1."""
    away = wp.length(path)
    facing = wp.max(-wp.dot(n, path) / away, 0.1)
    # A sample covers away · pixel across the line of sight, and more along a surface that leans.
    albedo = albedo_of(meshes, rows, i, face, weight, eye + path, n, away * pixel / wp.sqrt(facing))
    gloss = meshes.surface_gloss[meshes.material[face]]
    return lit(rows, i, albedo, gloss, eye + path, n, path)


@wp.func
def clear_pixel(canvas: Canvas, i: wp.int32, y: wp.int32, x: wp.int32):
    """Leaves a pixel empty."""
    nothing = wp.vec3(0.0, 0.0, 0.0)
    if canvas.with_colour != 0:
        put(canvas.rgba, i, y, x, nothing)
    canvas.rgba[i, 3, y, x] = 0.0
    canvas.depth[i, 0, y, x] = 0.0
    if canvas.with_normals != 0:
        put(canvas.normals, i, y, x, nothing)
    if canvas.with_semantic != 0:
        put(canvas.semantic, i, y, x, nothing)


@wp.func
def nearness(beyond: float, radius: float) -> float:
    """1 at the near end of a ball of that radius, 0.5 at the far end; `beyond` is the depth less that of its middle."""
    return 1.0 - 0.5 * wp.clamp((beyond + radius) / (2.0 * radius), 0.0, 1.0)


@wp.func
def shade_pixel(
    meshes: Meshes,
    rows: Rows,
    lens: Lens,
    samples: wp.int32,
    visible: wp.array3d(dtype=wp.uint64),
    canvas: Canvas,
    i: wp.int32,
    y: wp.int32,
    x: wp.int32,
):
    """Shades every sample of a pixel and takes their mean; depth is that of the nearest."""
    covered = int(0)
    for k in range(samples * samples):
        if visible[i, y * samples + k // samples, x * samples + k % samples] != EMPTY:
            covered += 1
    if covered == 0:  # most pixels
        clear_pixel(canvas, i, y, x)
        return
    mesh = rows.mesh[i]
    colour = wp.vec3(0.0, 0.0, 0.0)
    normal = wp.vec3(0.0, 0.0, 0.0)
    brightness = float(0.0)
    nearest = float(1.0e30)
    middle = in_camera(lens, wp.vec3(0.0, 0.0, 0.0))[2]
    for k in range(samples * samples):
        row = y * samples + k // samples
        column = x * samples + k % samples
        key = visible[i, row, column]
        if key != EMPTY:
            face = meshes.face_start[mesh] + int(key & wp.uint64(0xFFFFFFFF))
            ray = sample_ray(lens, float(column) + 0.5, float(row) + 0.5)
            t = meshes.faces[face]
            hit = meet(meshes, lens.eye, ray, t)
            weight = wp.vec3(hit[0], hit[1], hit[2])
            nearest = wp.min(nearest, hit[3])
            if canvas.with_colour != 0 or canvas.with_normals != 0:
                n = normal_at(meshes, t, weight, ray, canvas.flat)
                normal += n
                if canvas.with_colour != 0:
                    colour += colour_at(meshes, rows, i, face, weight, lens.eye, ray * hit[3], n, lens.pixel)
            if canvas.with_semantic != 0:
                brightness += nearness(hit[3] - middle, meshes.radius[mesh])
    mean = 1.0 / float(samples * samples)
    if canvas.with_colour != 0:
        put(canvas.rgba, i, y, x, colour * mean)
    canvas.rgba[i, 3, y, x] = float(covered) * mean
    canvas.depth[i, 0, y, x] = nearest
    if canvas.with_normals != 0:
        put(canvas.normals, i, y, x, wp.normalize(lens.rotation * normal))
    if canvas.with_semantic != 0:
        put(canvas.semantic, i, y, x, rows.class_colour[i] * (brightness * mean))


@wp.kernel
def shade(meshes: Meshes, rows: Rows, samples: wp.int32, visible: wp.array3d(dtype=wp.uint64), canvas: Canvas):
    """One pixel a thread, on a GPU."""
    i, y, x = wp.tid()
    lens = lens_of(rows, i, visible.shape[2], visible.shape[1])
    shade_pixel(meshes, rows, lens, samples, visible, canvas, i, y, x)


@wp.kernel
def shade_rows(meshes: Meshes, rows: Rows, samples: wp.int32, visible: wp.array3d(dtype=wp.uint64), canvas: Canvas):
    """One row of pixels a thread: on a CPU starting a thread takes longer than an empty pixel."""
    i, y = wp.tid()
    lens = lens_of(rows, i, visible.shape[2], visible.shape[1])
    for x in range(canvas.depth.shape[3]):
        shade_pixel(meshes, rows, lens, samples, visible, canvas, i, y, x)


@wp.kernel
def measure(meshes: Meshes, rows: Rows, bounds: wp.array(dtype=wp.vec4)):
    """Left, bottom, right and top of a mesh as tangents in camera axes; one image a thread."""
    i = wp.tid()
    mesh = rows.mesh[i]
    lens = lens_of(rows, i, 1, 1)
    box = wp.vec4(1.0e30, 1.0e30, -1.0e30, -1.0e30)
    for v in range(meshes.vertex_start[mesh], meshes.vertex_start[mesh + 1]):
        q = in_camera(lens, meshes.vertices[v])
        x = q[0] / wp.max(q[2], NEAR)
        y = q[1] / wp.max(q[2], NEAR)
        box = wp.vec4(wp.min(box[0], x), wp.min(box[1], y), wp.max(box[2], x), wp.max(box[3], y))
    bounds[i] = box
