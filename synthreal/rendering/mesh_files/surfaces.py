"""trimesh's materials to ours."""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from synthreal.rendering.bit_depth import eight_bits
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
    A texture that cannot be decoded is left out. Everything is opaque: what is meant to be transparent is remarked, and
    texels that nobody was to see get the mean colour of the others. glTF's alpha means nothing unless `alphaMode` says
    so; files disagree about which end of OBJ's Tr is opaque, so only what lies between counts, if there is no d.

    Args:
        remarks: Gets a line for everything that is left out.
        texture_size: Longer side of a texture at most, texels; None keeps all.
    """

    def __init__(self, remarks: list[str], texture_size: int | None) -> None:
        self.remarks, self.texture_size = remarks, texture_size
        self._made: dict[tuple[int, bool], Material] = {}
        self._textures: dict[tuple[int, bool], UInt8[np.ndarray, "h w 3"] | None] = {}

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
        see_through = material.alphaMode not in (None, "OPAQUE")
        if see_through:
            self.remarks.append(f"transparency (alphaMode {material.alphaMode}) is left out")
        texture = self._texture(material.baseColorTexture, see_through)
        return Material((red, green, blue), texture, min(0.04 * (shininess + 8) / 8, 0.5), shininess)

    def _simple(self, material: Any, plain: Colour) -> Material:
        written: dict[str, Any] = getattr(material, "kwargs", {})
        image = getattr(material, "image", None)
        # trimesh stands in for a missing material with an image that is from no file
        texture = self._texture(image, see_through=True) if getattr(image, "format", None) else None
        if lost := _transparency(written):
            self.remarks.append(f"transparency ({lost}) is left out")
        shininess = _numbers(getattr(material, "glossiness", None), 0.0)[0]
        matt = shininess < 1 or str(written.get("illum", ["2"])[0]) in ("0", "1")
        return Material(
            colour=_WHITE if texture is not None else _colour(written.get("kd"), plain),
            texture=texture,
            specular=0.0 if matt else float(np.mean(_colour(written.get("ks"), (0.0, 0.0, 0.0)))),
            shininess=float(np.clip(shininess, 1, 1000)),
        )

    def _texture(self, image: Any, see_through: bool) -> UInt8[np.ndarray, "h w 3"] | None:
        if image is None:
            return None
        key = (id(image), see_through)
        if key not in self._textures:
            self._textures[key] = self._decoded(image, see_through)
        return self._textures[key]

    def _decoded(self, image: Image.Image, see_through: bool) -> UInt8[np.ndarray, "h w 3"] | None:
        try:
            flat = self._opaque(image) if see_through and _has_alpha(image) else eight_bits(image).convert("RGB")
        except Exception as error:  # Pillow's decoders raise nearly anything on a broken file
            name = image.info.get("file_path", "an image")
            self.remarks.append(f"failed to decode {name}: {error}")
            return None
        if self.texture_size:
            flat.thumbnail((self.texture_size, self.texture_size), Image.Resampling.BOX)
        return np.array(flat)

    def _opaque(self, image: Image.Image) -> Image.Image:
        """RGB, texels that nobody was to see filled: their colour is often black, and would show in smaller copies."""
        pixels = np.array(image.convert("RGBA"))
        colour, alpha = pixels[..., :3], pixels[..., 3]
        if (alpha < 255).any():
            self.remarks.append("the transparency of a texture is left out")
        if 0 == alpha.min() < alpha.max():
            total = np.einsum("hwc,hw->c", colour, alpha, dtype=np.int64)
            colour[alpha == 0] = (total / alpha.sum(dtype=np.int64)).round()
        return Image.fromarray(colour)


def _has_alpha(image: Image.Image) -> bool:
    return image.getbands()[-1] in ("A", "a") or (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info)


def _transparency(written: dict[str, Any]) -> str | None:
    """What makes a material of an MTL file transparent."""
    if "map_d" in written:
        return "map_d"
    name = "d" if "d" in written else "tr"
    share = _numbers(written.get(name, ())[-1:], 1.0)[0]  # behind options
    return f"{name} {share:g}" if share < 1 and (name == "d" or share > 0) else None


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
