"""trimesh's materials to ours."""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from synthreal.rendering.mesh import Material

Colour = tuple[float, float, float]

_WHITE = (1.0, 1.0, 1.0)


def to_display(linear: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Returns linear intensities in [0, 1] as display (sRGB, IEC 61966-2-1) values."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1 + 1.055 * (linear ** (1 / 2.4) - 1))


class Surfaces:
    """The materials of one file; each is made once, so that its parts share it.

    OBJ: Kd is the colour, or white beside a texture, as exporters write any Kd there; the highlight is Ks (its mean)
    and Ns, unless Ns is below 1 or `illum` is 0 or 1, which means none.
    glTF: baseColorFactor is linear (trimesh keeps it in 8 bits). Roughness r gives the exponent n = 2/r⁴ - 2 of the
    Blinn-Phong lobe of that width, at most 1000, and the strength 0.04 (n + 8)/8, what 4 % reflectance has at
    its peak, at most 0.5. There is nothing to mirror, so metals are taken for that too. What glows shows its glow.
    A texture that cannot be decoded is left out.

    Args:
        remarks: Gets a line for everything that is left out.
        texture_size: Longer side of a texture at most, texels; None keeps all.
    """

    def __init__(self, remarks: list[str], texture_size: int | None) -> None:
        self.remarks, self.texture_size = remarks, texture_size
        self._made: dict[tuple[int, bool], Material] = {}
        self._textures: dict[int, UInt8[np.ndarray, "h w 3"] | None] = {}

    def of(self, material: Any, coloured: bool) -> Material:
        """Returns the surface of a trimesh material.

        Args:
            material: SimpleMaterial, PBRMaterial or None; it must live as long as this object.
            coloured: Whether the vertices have colours, so that a surface without one is white.
        """
        key = (id(material), coloured)
        if key not in self._made:
            plain = _WHITE if coloured else Material.colour
            if hasattr(material, "baseColorFactor"):
                self._made[key] = self._physical(material)
            else:
                self._made[key] = self._simple(material, plain)
        return self._made[key]

    def _physical(self, material: Any) -> Material:
        factor = material.baseColorFactor
        linear = np.ones(3) if factor is None else np.asarray(factor[:3], float) / 255
        if material.emissiveFactor is not None and material.emissiveTexture is None:
            linear = np.maximum(linear, material.emissiveFactor)
        red, green, blue = to_display(linear).tolist()
        rough = 1.0 if material.roughnessFactor is None else float(np.clip(material.roughnessFactor, 0.1, 1))
        shininess = min(max(2 / rough**4 - 2, 1.0), 1000.0)
        texture = self._texture(material.baseColorTexture)
        return Material((red, green, blue), texture, min(0.04 * (shininess + 8) / 8, 0.5), shininess)

    def _simple(self, material: Any, plain: Colour) -> Material:
        written: dict[str, Any] = getattr(material, "kwargs", {})
        image = getattr(material, "image", None)
        # trimesh stands in for a missing material with an image that is from no file
        texture = self._texture(image) if getattr(image, "format", None) else None
        shininess = _numbers(getattr(material, "glossiness", None), 0.0)[0]
        matt = shininess < 1 or str(written.get("illum", ["2"])[0]) in ("0", "1")
        return Material(
            colour=_WHITE if texture is not None else _colour(written.get("kd"), plain),
            texture=texture,
            specular=0.0 if matt else float(np.mean(_colour(written.get("ks"), (0.0, 0.0, 0.0)))),
            shininess=float(np.clip(shininess, 1, 1000)),
        )

    def _texture(self, image: Any) -> UInt8[np.ndarray, "h w 3"] | None:
        if image is None:
            return None
        if id(image) not in self._textures:
            self._textures[id(image)] = self._decoded(image)
        return self._textures[id(image)]

    def _decoded(self, image: Image.Image) -> UInt8[np.ndarray, "h w 3"] | None:
        try:
            flat = image.convert("RGB")
        except Exception as error:  # Pillow's decoders raise nearly anything on a broken file
            name = image.info.get("file_path", "an image")
            self.remarks.append(f"failed to decode {name}: {error}")
            return None
        if self.texture_size:
            flat.thumbnail((self.texture_size, self.texture_size), Image.Resampling.BOX)
        return np.array(flat)


def _numbers(value: Any, default: float) -> Float[np.ndarray, " n"]:
    """The number or numbers of a line in an MTL file."""
    try:
        numbers = np.nan_to_num(np.asarray(value, float).ravel())
    except (TypeError, ValueError):
        numbers = np.empty(0)
    return numbers if len(numbers) and value is not None else np.array([default])


def _colour(value: Any, default: Colour) -> Colour:
    numbers = np.clip(_numbers(value, -1.0), -1, 1)
    if len(numbers) not in (1, 3) or numbers.min() < 0:
        return default
    red, green, blue = np.broadcast_to(numbers, 3).tolist()
    return red, green, blue
