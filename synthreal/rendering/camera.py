"""Cameras in PASCAL3D+'s convention, a batch at a time."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """Pinhole cameras about the origin; z is up and an object's front faces -y.

    The camera is at distance · (cos e sin a, -cos e cos a, sin e) and looks at `focus`; azimuth 0 sees the front,
    90 the object's left side turned to the right (+x), elevation 90 the top. With its focus at the origin the rotation
    from world to camera axes (right, up, towards the camera) is Rz(tilt) · Rx(elevation - 90°) · Rz(-azimuth), that of
    PASCAL3D+ (Xiang et al. 2014). A positive tilt turns the picture counter-clockwise.

    Args:
        azimuth: Degrees.
        elevation: Degrees, -90 to 90.
        tilt: In-plane rotation, degrees.
        distance: From the origin, units of the mesh.
        focal: Focal length in image widths: an object of size s at distance d is focal · s / d widths wide.
            PASCAL3D+'s viewport of 3000 pixels is 3000 / image width.
        principal: Where the optical axis meets the picture: right and down of its centre, image widths.
        focus: The point that is looked at (the focal-point shift of GM-CML, sec. III); the origin by default.
    """

    azimuth: Float[Tensor, " b"]
    elevation: Float[Tensor, " b"]
    tilt: Float[Tensor, " b"]
    distance: Float[Tensor, " b"]
    focal: Float[Tensor, " b"]
    principal: Float[Tensor, "b 2"]
    focus: Float[Tensor, "b 3"]

    def position(self) -> Float[Tensor, "b 3"]:
        """Returns where each camera stands."""
        a, e = self.azimuth.deg2rad(), self.elevation.deg2rad()
        direction = torch.stack([e.cos() * a.sin(), -e.cos() * a.cos(), e.sin()], 1)
        return direction * self.distance[:, None]

    def rotation(self) -> Float[Tensor, "b 3 3"]:
        """Returns the rotation from world to camera axes; its rows are right, up and back (towards the camera)."""
        back = self.position() - self.focus
        level = back[:, :2].norm(dim=1)
        # Looking straight down or up, only the azimuth says which way is right.
        a = torch.where(level > 1e-6 * self.distance, torch.atan2(back[:, 0], -back[:, 1]), self.azimuth.deg2rad())
        e = torch.atan2(back[:, 2], level)
        zero = torch.zeros_like(a)
        right = torch.stack([a.cos(), a.sin(), zero], 1)
        up = torch.stack([-e.sin() * a.sin(), e.sin() * a.cos(), e.cos()], 1)
        toward = torch.stack([e.cos() * a.sin(), -e.cos() * a.cos(), e.sin()], 1)
        c, s = self.tilt.deg2rad().cos()[:, None], self.tilt.deg2rad().sin()[:, None]
        return torch.stack([c * right - s * up, s * right + c * up, toward], 1)

    def to(self, device: torch.device) -> "Camera":
        """Returns the same cameras on `device`."""
        return Camera(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def framing(self, bounds: Float[Tensor, "b 4"], fill: float) -> "Camera":
        """Returns cameras zoomed and shifted so that what they see of an object fills the frame.

        Args:
            bounds: Left, bottom, right, top of the object as tangents in camera axes (x / depth, y / depth).
            fill: Share of the image width that the longer side of the object's box takes.
        """
        size = (bounds[:, 2:] - bounds[:, :2]).amax(1).clamp(min=1e-6)
        middle = (bounds[:, 2:] + bounds[:, :2]) / 2
        focal = fill / size
        right, up = (focal[:, None] * middle).unbind(1)
        return replace(self, focal=focal, principal=torch.stack([-right, up], 1))


def orbit(
    azimuth: Float[Tensor, " b"],
    elevation: Float[Tensor, " b"],
    tilt: Float[Tensor, " b"] | None = None,
    distance: float = 2.2,
    focal: float = 1.5,
) -> Camera:
    """Returns cameras that look at the origin, all at one distance with one focal length; tilt is 0 by default."""
    return Camera(
        azimuth=azimuth,
        elevation=elevation,
        tilt=torch.zeros_like(azimuth) if tilt is None else tilt,
        distance=torch.full_like(azimuth, distance),
        focal=torch.full_like(azimuth, focal),
        principal=azimuth.new_zeros(len(azimuth), 2),
        focus=azimuth.new_zeros(len(azimuth), 3),
    )


def field_of_view(focal: float) -> float:
    """Returns the full horizontal angle, degrees, that a focal length in image widths sees."""
    return 2 * math.degrees(math.atan(0.5 / focal))
