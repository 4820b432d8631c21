"""glTF files put together by hand, from the specification, so that the reader is not tested with its own library."""

import json
import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

COMPONENTS = {"float32": 5126, "uint8": 5121, "uint16": 5123, "uint32": 5125}
SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class Gltf:
    """A header and one binary blob."""

    def __init__(self, **header):
        self.blob = b""
        self.header = {"asset": {"version": "2.0"}, "bufferViews": [], "accessors": [], "meshes": [], **header}

    def view(self, data):
        self.header["bufferViews"].append({"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data)})
        self.blob += data + b"\0" * (-len(data) % 4)
        return len(self.header["bufferViews"]) - 1

    def accessor(self, array):
        array = np.asarray(array)
        columns = array.shape[1] if array.ndim == 2 else 1
        self.header["accessors"].append(
            {
                "bufferView": self.view(array.tobytes()),
                "componentType": COMPONENTS[str(array.dtype)],
                "count": len(array),
                "type": SHAPES[columns],
                "normalized": array.dtype.kind == "u" and array.ndim == 2,
            }
        )
        return len(self.header["accessors"]) - 1

    def mesh(self, faces, material=None, mode=4, **attributes):
        primitive = {"attributes": {k: self.accessor(v) for k, v in attributes.items()}, "mode": mode}
        if faces is not None:
            primitive["indices"] = self.accessor(np.asarray(faces, np.uint16).ravel())
        if material is not None:
            primitive["material"] = material
        self.header["meshes"].append({"primitives": [primitive]})

    def glb(self):
        header = dict(self.header, buffers=[{"byteLength": len(self.blob)}])
        header.setdefault("nodes", [{"mesh": i} for i in range(len(header["meshes"]))])
        header.setdefault("scenes", [{"nodes": list(range(len(header["nodes"])))}])
        header.setdefault("scene", 0)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self.blob), b"BIN\0") + self.blob
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


@pytest.fixture
def gltf():
    return Gltf


def png(pixels):
    file = BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


CORNERS = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]]
"""Red and green above blue and yellow."""


@pytest.fixture
def corners():
    return png(CORNERS)


@pytest.fixture
def texel():
    """Returns the colour that a vertex gets: row 0 of the texture at v = 1."""

    def texel(mesh, vertex):
        surface = mesh.materials[mesh.material[(mesh.faces == vertex).any(axis=1)][0]]
        height, width = surface.texture.shape[:2]
        u, v = mesh.uv[vertex]
        return tuple(surface.texture[int((1 - v) * height), int(u * width)].tolist())

    return texel
