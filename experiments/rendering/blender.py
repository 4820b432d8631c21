"""Draws a data set's 3D models again with Blender's Cycles: the same viewpoints, the same file layout.

It knows nothing of synthreal and runs in a process of its own, in Blender or where its package is installed:

    blender --background --python blender.py -- DATA MODELS OUTPUT
    python blender.py DATA MODELS OUTPUT          # pip install bpy

DATA is what DatasetWriter wrote (folders) from MeshImages over MeshFolder(MODELS) with its default axes. For each row
of its manifest `OUTPUT/image/<class>/<index>.png` is drawn, on a transparent background; files that are there stay. The
manifest's angles, distance, focal length, shift and RandomLight's columns are obeyed; without them the focal length is
--focal-length and the light FixedLight's. It cannot know of `fill`, and texture, background and occluder are left out.
Cycles shades in linear light where the rasteriser shades display values: half-lit sides differ a little.
"""

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
from mathutils import Matrix, Vector

SENSOR = 36.0  # mm; any will do
GAMMA = 2.2  # display values to light
Row = dict[str, str]


def main() -> None:
    """Reads the command line and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.csv and dataset.json")
    parser.add_argument("models", type=Path, help="folder with a sub-folder of model files for each class")
    parser.add_argument("output", type=Path)
    parser.add_argument("--samples", type=int, default=64, help="paths a pixel")
    parser.add_argument("--size", type=int, help="side of the pictures; that of the data set's by default")
    parser.add_argument("--focal-length", type=float, default=1.6, help="image widths, where the manifest has none")
    parser.add_argument("--limit", type=int, help="draw the first rows alone")
    told = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    args = parser.parse_args(told)
    with (args.data / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[: args.limit]
    if missing := [name for name in ("model", "u.distance") if name not in rows[0]]:
        sys.exit(f"{args.data / 'manifest.csv'} has no column {', '.join(missing)}: MeshImages did not make it.")
    size = args.size or bpy.data.images.load(str((args.data / rows[0]["path"]).resolve())).size[0]
    describe(args.data, args.output)
    drawn: Path | None = None
    for row in sorted(rows, key=lambda row: row["model"]):  # each is loaded once
        target = (args.output / "image" / row["class"] / f"{int(row['index']):06d}.png").resolve()
        if target.exists():
            continue
        model = args.models / row["model"]
        if model != drawn:
            empty_scene(size, args.samples)
            load(model)
            drawn = model
        place_camera(row, args.focal_length)
        place_lights(row)
        draw(target)


def describe(data: Path, output: Path) -> None:
    """Copies what describes the data set and is still true."""
    output.mkdir(parents=True, exist_ok=True)
    description = json.loads((data / "dataset.json").read_text())
    pictures = {"image": description["pictures"]["image"]}
    description |= {"pictures": pictures, "transparent": True, "layout": "folders", "module": "Blender Cycles"}
    description.pop("fingerprint", None)
    (output / "dataset.json").write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    (output / "manifest.csv").write_bytes((data / "manifest.csv").read_bytes())


def empty_scene(size: int, samples: int) -> None:
    """Starts anew, with a camera, a sun and a world."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    for thing in (scene.camera, sun):
        scene.collection.objects.link(thing)
    scene.world = bpy.data.worlds.new("world")
    if scene.world.node_tree is None:  # before Blender 5
        scene.world.use_nodes = True
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.seed, scene.cycles.device = samples, 0, "CPU"
    scene.cycles.pixel_filter_type = "BOX"  # a pixel is the mean over its own square
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.film_transparent = True
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.view_settings.view_transform = "Standard"


def load(model: Path) -> None:
    """Imports a model: up is z, its front faces -y, and it fits a unit box about the origin."""
    if not model.is_file():
        sys.exit(f"There is no model {model}: MODELS must be the root of the MeshFolder that DATA was made from.")
    before, suffix = set(bpy.data.objects), model.suffix.lower()
    if suffix in (".glb", ".gltf"):
        bpy.ops.import_scene.gltf(filepath=str(model))
    elif suffix == ".obj":
        bpy.ops.wm.obj_import(filepath=str(model), forward_axis="NEGATIVE_Z", up_axis="Y")
    elif suffix == ".ply":
        bpy.ops.wm.ply_import(filepath=str(model), forward_axis="NEGATIVE_Z", up_axis="Y")
    else:
        sys.exit(f"{model}: Blender does not read {suffix} files.")
    new = [thing for thing in bpy.data.objects if thing not in before]
    for thing in new:
        if thing.type in ("LIGHT", "CAMERA"):
            thing.hide_render = True
    bpy.context.view_layer.update()
    corners = list(points(new))
    low, high = (Vector(f(p[i] for p in corners) for i in range(3)) for f in (min, max))
    fit = Matrix.Scale(1 / max(high - low), 4) @ Matrix.Translation(-(low + high) / 2)
    for thing in new:
        if thing.parent is None:
            thing.matrix_world = fit @ thing.matrix_world


def points(things: list[bpy.types.Object]) -> Iterator[Vector]:
    """Yields every vertex that will be drawn, in the world."""
    graph = bpy.context.evaluated_depsgraph_get()
    for thing in things:
        if thing.type == "MESH" and thing.visible_get():
            shown = thing.evaluated_get(graph)
            yield from (shown.matrix_world @ vertex.co for vertex in shown.data.vertices)


def toward(azimuth: float, elevation: float) -> Vector:
    """Returns the unit vector at angles in degrees; azimuth 0 is in front (-y), 90 at +x."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return Vector((math.cos(e) * math.sin(a), -math.cos(e) * math.cos(a), math.sin(e)))


def place_camera(row: Row, focal_length: float) -> None:
    """Puts the camera where the row says: PASCAL3D+'s angles."""
    azimuth, elevation, tilt, distance = (float(row[f"u.{n}"]) for n in ("azimuth", "elevation", "tilt", "distance"))
    turn = Matrix.Rotation(math.radians(azimuth), 4, "Z") @ Matrix.Rotation(math.radians(90 - elevation), 4, "X")
    turn @= Matrix.Rotation(math.radians(-tilt), 4, "Z")
    camera = bpy.context.scene.camera
    camera.matrix_world = Matrix.Translation(toward(azimuth, elevation) * distance) @ turn
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.clip_start = "HORIZONTAL", SENSOR, 0.01
    camera.data.lens = SENSOR * float(row.get("u.focal length", focal_length))
    camera.data.shift_x = -float(row.get("u.shift right", 0))
    camera.data.shift_y = float(row.get("u.shift down", 0))


def place_lights(row: Row) -> None:
    """Lights the scene as RandomLight does, or as FixedLight where the manifest has no such columns.

    Light in the manifest is in display values: what faces the sun and what lies in shadow come out as bright as there.
    """
    warmth, strength = float(row.get("u.warmth", 0)), float(row.get("u.light strength", 0.55))
    everywhere = float(row.get("u.ambient", 0.45))
    sun = bpy.data.objects["sun"]
    full = (everywhere + strength * tone for tone in (1 + warmth, 1, 1 - warmth))
    sun.data.color = [value**GAMMA - everywhere**GAMMA for value in full]
    sun.data.energy, sun.data.angle = math.pi, 0  # a white surface throws back 1 / π of it
    place = toward(float(row.get("u.light azimuth", -40)), float(row.get("u.light elevation", 50)))
    sun.matrix_world = place.to_track_quat("Z", "Y").to_matrix().to_4x4()
    sky = bpy.context.scene.world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (1, 1, 1, 1), everywhere**GAMMA


def draw(target: Path) -> None:
    """Renders to a file that is whole or not there."""
    beside = target.with_name(f".part-{target.name}")
    bpy.context.scene.render.filepath = str(beside)
    bpy.ops.render.render(write_still=True)
    beside.replace(target)


if __name__ == "__main__":
    main()
