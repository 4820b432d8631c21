"""What trimesh would read wrongly without a word, found in the file itself."""

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthreal.errors import MeshError

_FLOAT = 5126
_LOOKS = ("KHR_materials_", "KHR_texture_", "EXT_texture_")
"""Extensions without which a mesh still has its shape."""


def check_file(path: Path) -> Iterator[str]:
    """Yields what will be left out of a mesh.

    Raises:
        MeshError: If its shape would come out wrong.
    """
    if path.suffix.lower() == ".obj":
        _check_obj(path.read_bytes())
    elif path.suffix.lower() in (".glb", ".gltf"):
        yield from _check_gltf(_gltf_header(path.read_bytes()))


def _check_obj(data: bytes) -> None:
    """Relative indices count back from their line; trimesh counts back from the end of the file."""
    first_face = re.search(rb"^f\s", data, re.MULTILINE)
    if not first_face or not re.search(rb"^f\s.*?[\s/]-\d", data, re.MULTILINE):
        return
    if re.compile(rb"^v[tn]?\s", re.MULTILINE).search(data, first_face.end()):
        raise MeshError("it counts vertices backwards (relative indices) between its faces, which is not read.")


def _gltf_header(data: bytes) -> dict[str, Any]:
    if data[:4] == b"glTF":
        (length,) = struct.unpack_from("<I", data, 12)
        data = data[20 : 20 + length]
    header: dict[str, Any] = json.loads(data)
    return header


def _check_gltf(header: dict[str, Any]) -> Iterator[str]:
    needed = [name for name in header.get("extensionsRequired", []) if not name.startswith(_LOOKS)]
    if needed:
        raise MeshError(f"it needs the glTF extension {', '.join(needed)}, which is not read.")
    accessors = header.get("accessors", [])
    for primitive in (p for mesh in header.get("meshes", []) for p in mesh["primitives"]):
        attributes = primitive["attributes"]
        for index in (attributes["POSITION"], primitive.get("indices", attributes["POSITION"])):
            if "bufferView" not in accessors[index] or "sparse" in accessors[index]:
                raise MeshError("its positions or faces are compressed or sparse, which is not read.")
        if "TEXCOORD_0" in attributes and accessors[attributes["TEXCOORD_0"]]["componentType"] != _FLOAT:
            raise MeshError("its texture coordinates are stored as integers, which is not read.")
    for material in header.get("materials", []):
        texture = material.get("pbrMetallicRoughness", {}).get("baseColorTexture", {})
        transform = texture.get("extensions", {}).get("KHR_texture_transform", {})
        if {"offset", "rotation", "scale"} & set(transform):
            yield "the texture's shift, turn or scale (KHR_texture_transform) is left out"
        if transform.get("texCoord", texture.get("texCoord", 0)):
            yield "the texture is laid on with the first set of coordinates instead of another one"
