"""What the kernels read: meshes that stay, and rows that differ from image to image."""

import warp as wp


@wp.struct
class Meshes:
    """`PackedMeshes` as Warp arrays."""

    vertices: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    uv: wp.array(dtype=wp.vec2)
    colours: wp.array(dtype=wp.vec3)
    faces: wp.array(dtype=wp.vec3i)
    material: wp.array(dtype=wp.int32)
    density: wp.array(dtype=wp.float32)
    vertex_start: wp.array(dtype=wp.int32)
    face_start: wp.array(dtype=wp.int32)
    radius: wp.array(dtype=wp.float32)
    surface_colour: wp.array(dtype=wp.vec3)
    surface_gloss: wp.array(dtype=wp.vec2)
    surface_texture: wp.array(dtype=wp.int32)
    texels: wp.array(dtype=wp.int32)
    texture_start: wp.array2d(dtype=wp.int32)
    texture_size: wp.array(dtype=wp.vec2i)


@wp.struct
class Rows:
    """`Views` as Warp arrays."""

    mesh: wp.array(dtype=wp.int32)
    eye: wp.array(dtype=wp.vec3)
    rotation: wp.array(dtype=wp.mat33)
    focal: wp.array(dtype=wp.float32)
    principal: wp.array(dtype=wp.vec2)
    irradiance: wp.array2d(dtype=wp.vec3)
    light: wp.array2d(dtype=wp.vec4)
    light_colour: wp.array2d(dtype=wp.vec3)
    tint: wp.array(dtype=wp.vec3)
    texture: wp.array(dtype=wp.int32)
    texture_repeat: wp.array(dtype=wp.float32)
    class_colour: wp.array(dtype=wp.vec3)
    num_lights: wp.int32
    ambient_only: wp.int32
