"""Warp functions: what colour a point of a mesh has."""

import warp as wp

from synthreal.rendering.kernels.inputs import Meshes, Rows

wp.set_module_options({"enable_backward": False})


@wp.func
def rgb(texel: wp.int32) -> wp.vec3:
    """Colour of a packed texel, 0 to 255."""
    return wp.vec3(float(texel & 255), float((texel >> 8) & 255), float((texel >> 16) & 255))


@wp.func
def wrapped(x: wp.int32, size: wp.int32) -> wp.int32:
    """A texel's column or row after repeating the texture; x is at most one outside."""
    if x < 0:
        return x + size
    if x >= size:
        return x - size
    return x


@wp.func
def sample_texture(meshes: Meshes, texture: wp.int32, uv: wp.vec2, footprint: float) -> wp.vec3:
    """Bilinear colour in [0, 1], at the level whose texels are as wide as the sample: `footprint` full-size ones."""
    size = meshes.texture_size[texture]
    # The exponent of a float is its whole logarithm; √2 rounds it to the nearest.
    level = wp.clamp((wp.cast(footprint * 1.41421356, wp.int32) >> 23) - 127, 0, 11)
    width = wp.max(size[0] >> level, 1)
    height = wp.max(size[1] >> level, 1)
    start = meshes.texture_start[texture, level]
    x = (uv[0] - wp.floor(uv[0])) * float(width) - 0.5
    y = (1.0 - (uv[1] - wp.floor(uv[1]))) * float(height) - 0.5
    left = wp.floor(x)
    top = wp.floor(y)
    across = x - left
    down = y - top
    x0 = wrapped(int(left), width)
    x1 = wrapped(int(left) + 1, width)
    y0 = start + wrapped(int(top), height) * width
    y1 = start + wrapped(int(top) + 1, height) * width
    upper = rgb(meshes.texels[y0 + x0]) * (1.0 - across) + rgb(meshes.texels[y0 + x1]) * across
    lower = rgb(meshes.texels[y1 + x0]) * (1.0 - across) + rgb(meshes.texels[y1 + x1]) * across
    return (upper * (1.0 - down) + lower * down) * (1.0 / 255.0)


@wp.func
def projected_uv(point: wp.vec3, normal: wp.vec3) -> wp.vec2:
    """Coordinates of a point along the axis that it faces most."""
    if wp.abs(normal[2]) >= wp.max(wp.abs(normal[0]), wp.abs(normal[1])):
        return wp.vec2(point[0], point[1])
    if wp.abs(normal[0]) >= wp.abs(normal[1]):
        return wp.vec2(point[1], point[2])
    return wp.vec2(point[0], point[2])


@wp.func
def irradiance(rows: Rows, i: wp.int32, n: wp.vec3) -> wp.vec3:
    """Light from everywhere on a surface with normal n."""
    if rows.ambient_only != 0:
        return rows.irradiance[i, 0]
    c = rows.irradiance[i]
    linear = c[0] + c[1] * n[1] + c[2] * n[2] + c[3] * n[0]
    square = c[4] * (n[0] * n[1]) + c[5] * (n[1] * n[2]) + c[6] * (3.0 * n[2] * n[2] - 1.0) + c[7] * (n[0] * n[2])
    light = linear + square + c[8] * (n[0] * n[0] - n[1] * n[1])
    return wp.max(light, wp.vec3(0.0, 0.0, 0.0))  # far from a strong light the polynomials may be less


@wp.func
def lit(rows: Rows, i: wp.int32, albedo: wp.vec3, gloss: wp.vec2, p: wp.vec3, n: wp.vec3, path: wp.vec3) -> wp.vec3:
    """Lambert and Blinn-Phong colour of a point p with normal n, seen along `path`."""
    diffuse = irradiance(rows, i, n)
    highlight = wp.vec3(0.0, 0.0, 0.0)
    for k in range(rows.num_lights):
        light = rows.light[i, k]
        towards = wp.vec3(light[0], light[1], light[2])
        strength = float(1.0)
        if light[3] > 0.0:
            towards = towards - p * light[3]
            away = wp.length(towards)
            strength = 1.0 / wp.max(away * away, 1.0e-6)
        towards = wp.normalize(towards)
        facing = wp.dot(n, towards)
        if facing > 0.0:
            colour = rows.light_colour[i, k] * strength
            diffuse += colour * facing
            if gloss[0] > 0.0:
                half = wp.max(wp.dot(n, wp.normalize(towards - wp.normalize(path))), 0.0)
                highlight += colour * (gloss[0] * wp.pow(half, gloss[1]))
    return wp.min(wp.cw_mul(albedo, diffuse) + highlight, wp.vec3(1.0, 1.0, 1.0))


@wp.func
def albedo_of(
    meshes: Meshes, rows: Rows, i: wp.int32, face: wp.int32, weight: wp.vec3, p: wp.vec3, n: wp.vec3, width: float
) -> wp.vec3:
    """Colour of the surface itself at barycentric weights of a face; `width` is the sample's side at that point."""
    t = meshes.faces[face]
    material = meshes.material[face]
    texture = rows.texture[i]
    colour = rows.tint[i]
    uv = wp.vec2(0.0, 0.0)
    texels = float(0.0)  # a unit of length
    if texture >= 0:
        size = meshes.texture_size[texture]
        uv = projected_uv(p, n) * rows.texture_repeat[i]
        texels = rows.texture_repeat[i] * wp.sqrt(float(size[0]) * float(size[1]))
    else:
        vertex = meshes.colours[t[0]] * weight[0] + meshes.colours[t[1]] * weight[1] + meshes.colours[t[2]] * weight[2]
        colour = wp.cw_mul(wp.cw_mul(vertex, meshes.surface_colour[material]), colour)
        texture = meshes.surface_texture[material]
        if texture >= 0:
            uv = meshes.uv[t[0]] * weight[0] + meshes.uv[t[1]] * weight[1] + meshes.uv[t[2]] * weight[2]
            texels = meshes.density[face]
    if texture >= 0:
        colour = wp.cw_mul(colour, sample_texture(meshes, texture, uv, width * texels))
    return colour
