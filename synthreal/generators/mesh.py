"""Rendered 3D models: every latent variation of a picture is an axis of the space, or a switch."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.batch import Batch, Draws, synthetic_batch
from synthreal.datasets.by_class import ByClass, by_label
from synthreal.datasets.meshes import LabelledMeshes, MeshCollection
from synthreal.datasets.pictures import Pictures, PictureSource
from synthreal.errors import ConfigError
from synthreal.generators.base import ImageGenerator
from synthreal.generators.lighting import BackgroundLight, FixedLight, Lighting
from synthreal.generators.randomness import uniforms
from synthreal.rendering.camera import Camera
from synthreal.rendering.compositing import boxes, crops, over
from synthreal.rendering.palette import class_colours
from synthreal.rendering.path_tracer import PathTracer
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.rendering.scene import Views
from synthreal.rendering.textures import join_textures, pack_textures
from synthreal.spaces import Categorical, Continuous, FixedViews, ParameterSpace, Product

_CROP, _SURFACE = range(2)  # purposes of a sample's own random numbers
_TINT = 0.25
_NEAREST = 1e-3  # share of the distances of a bucket that may be nearer than the one that is checked


class MeshImages(ImageGenerator):
    """Draws a 3D model of the drawn class, over a background.

    u is (class, azimuth, elevation, tilt, distance) and a column for each variation that is on; the draw's seed decides
    what they leave open (which part of a background is behind it, how a texture repeats). The switches are the latent
    variations of the mixing-ratio paper's Table 1: texture, lighting, background, camera.

    Args:
        meshes: 3D models.
        image_size: Side of the pictures, pixels.
        views: Cameras: a space with the columns azimuth, elevation, tilt and distance. None for one fixed camera.
        vary_model: Draw any model of the class; False takes its first one alone.
        lighting: How the objects are lit.
        background: What is behind them; None for black, which makes the image premultiplied by its mask.
        texture: Pictures to cover objects with; None leaves their own surfaces.
        own_surface: Share of the images that keep the model's own surface, tinted, although `texture` is given.
        focal_length: Shortest and longest, image widths.
        shift: Largest distance of the object from the middle of the picture, image widths.
        focal_point: Largest distance along each axis of the point that is looked at from the object's middle, units of
            the mesh, whose longest side is 1 (GM-CML, sec. III-A). Azimuth, elevation and distance stay those of where
            the camera stands.
        close_shot: Moves the focal point by this share of C - P, C where the camera stands and P where it would see the
            front, at azimuth and elevation 0 (GM-CML, sec. III-A: 0.2). 0 to 0.5 (exclusive).
        occlusion: Largest side of a patch of background that hides a part of the picture, image widths. The mask and
            the box are of what is left; the other maps are of the whole object.
        fill: Zoom and shift each camera so that the object takes this share of the picture; None zooms by focal_length.
        supersampling: Samples along each side of a pixel.
        flat: Shade faces flat.
        path_samples: Samples a pixel of the path tracer (Mitsuba, the photoreal extra: shadows and reflections; a few
            images a second); 0 rasterises.
        outputs: Maps that the batch carries besides the mask and the box.

    Raises:
        ConfigError: If a range is empty, the views lack a column, the light is that of a background that is missing,
            `fill` would undo another setting, or a camera could stand inside an object or at its focal point.
    """

    def __init__(
        self,
        meshes: MeshCollection,
        image_size: int = 64,
        views: ParameterSpace | None = None,
        vary_model: bool = True,
        lighting: Lighting | None = None,
        background: PictureSource | None = None,
        texture: PictureSource | None = None,
        own_surface: float = 0.3,
        focal_length: tuple[float, float] = (1.6, 1.6),
        shift: float = 0.0,
        focal_point: float = 0.0,
        close_shot: float = 0.0,
        occlusion: float = 0.0,
        fill: float | None = None,
        supersampling: int = 2,
        flat: bool = False,
        path_samples: int = 0,
        outputs: list[Literal["depth", "normals", "semantic"]] | None = None,
    ) -> None:
        self.meshes, self.image_size, self.vary_model = meshes, image_size, vary_model
        self.views = FixedViews([[-40.0, 20.0, 0.0, 2.2]]) if views is None else views
        self.lighting = FixedLight() if lighting is None else lighting
        self.background, self.texture, self.own_surface = background, texture, own_surface
        self.focal_length, self.shift, self.occlusion, self.fill = focal_length, shift, occlusion, fill
        self.focal_point, self.close_shot = focal_point, close_shot
        self.supersampling, self.flat, self.outputs = supersampling, flat, tuple(outputs or ())
        self.path_samples = path_samples
        self._check()
        self.num_classes = len(meshes.classes)
        self.space = Product([Categorical("class", meshes.classes), self.views, *self._axes()])
        self._drawers: dict[torch.device, _Drawer] = {}

    def _check(self) -> None:
        low, high = self.focal_length
        if not 0 < low <= high:
            raise ConfigError(f"focal_length is shortest and longest, above 0, not {self.focal_length}.")
        if not 0 <= self.own_surface <= 1 or not 0 <= self.shift < 1 or not 0 <= self.occlusion < 1:
            raise ConfigError("own_surface is a share, shift and occlusion are at least 0 and below 1 image width.")
        if self.fill is not None and not 0 < self.fill <= 1:
            raise ConfigError(f"fill is a share of the picture above 0 and up to 1, not {self.fill}.")
        if isinstance(self.lighting, BackgroundLight) and self.background is None:
            raise ConfigError("BackgroundLight needs a background: without one all is black.")
        wanted = ("azimuth", "elevation", "tilt", "distance")
        if self.views.columns != wanted:
            raise ConfigError(f"views must have the columns {', '.join(wanted)}, not {', '.join(self.views.columns)}.")
        if self.fill is not None and (low < high or self.shift or self.focal_point or self.close_shot):
            lost = "shift, focal_point, close_shot and the range of focal_length"
            raise ConfigError(f"fill zooms and shifts each camera itself: leave it out, or {lost}.")
        if self.focal_point or self.close_shot:
            self._check_focus()

    def _check_focus(self) -> None:
        nearest = self._nearest()
        # A close shot from behind brings the focal point nearest to its camera.
        reach = (1 - 2 * self.close_shot) * nearest
        if not (self.focal_point >= 0 and self.close_shot >= 0 and 3**0.5 * self.focal_point < reach):
            raise ConfigError(
                f"focal_point {self.focal_point:g} and close_shot {self.close_shot:g} are at least 0 and so small that "
                f"no camera, {nearest:g} from the object, could stand at the point that it looks at."
            )

    def _nearest(self) -> float:
        every = torch.arange(self.views.num_buckets)
        return float(self.views.place(every, torch.full((len(every), 4), _NEAREST))[:, 3].min())

    def _axes(self) -> list[ParameterSpace]:
        axes = [Continuous("model", 0, 1)] if self.vary_model else []
        axes += [Continuous("texture", 0, 1)] if self.texture else []
        axes += [Continuous("background", 0, 1)] if self.background else []
        if self.focal_length[0] < self.focal_length[1]:
            axes.append(Continuous("focal length", *self.focal_length, unit="image widths"))
        if self.shift:
            axes += [Continuous(f"shift {side}", -self.shift, self.shift) for side in ("right", "down")]
        if self.focal_point:
            axes += [Continuous(f"focal point {axis}", -self.focal_point, self.focal_point) for axis in "xyz"]
        if self.occlusion:
            axes += [Continuous("occluder size", 0, self.occlusion)]
            axes += [Continuous(f"occluder {side}", 0, 1) for side in ("right", "down")]
        return [*axes, *self.lighting.axes]

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`. Adds mask, box, viewpoint and the `outputs`."""
        if device not in self._drawers:
            self._drawers[device] = _Drawer(self, device)
        columns = dict(zip(self.space.columns, draws["parameters"].unbind(1), strict=True))
        return self._drawers[device].batch(draws, columns)

    @cached_property
    def models(self) -> LabelledMeshes:
        """The models, read when they are first needed.

        Raises:
            DatasetNotFoundError: If files are missing.
            ConfigError: If a camera could stand inside an object.
        """
        models = self.meshes.load()
        nearest = self._nearest()
        if nearest <= float(models.meshes.radius.max()):
            raise ConfigError(
                f"A camera at distance {nearest:g} could stand inside an object, whose corners are up to "
                f"{float(models.meshes.radius.max()):.2f} from its middle: raise the distance of the views."
            )
        return models

    def name(self, draws: Draws) -> dict[str, list[str]]:
        """See `ImageGenerator.name`: model, and background if there is one."""
        columns = dict(zip(self.space.columns, draws["parameters"].unbind(1), strict=True))
        names = {"model": [self.models.meshes.names[i] for i in self.model_of(columns, self.by_class).tolist()]}
        if self.pictures is not None:
            behind = self.pictures.by_class.choose(columns["class"].long(), columns["background"])
            names["background"] = [self.pictures.names[i] for i in behind.tolist()]
        return names

    @cached_property
    def pictures(self) -> Pictures | None:
        """The backgrounds, read when they are first needed."""
        return self.background.load(self.meshes.classes) if self.background else None

    def model_of(self, columns: Mapping[str, Tensor], by_class: ByClass) -> Int[Tensor, " b"]:
        """Returns the index of the model in each image; `by_class` is that of the models, where the columns are."""
        label = columns["class"].long()
        place = columns["model"] if self.vary_model else torch.zeros_like(columns["class"])
        return by_class.choose(label, place)

    @cached_property
    def by_class(self) -> ByClass:
        """The models of each class."""
        return by_label(self.models.labels, self.num_classes)

    def __deepcopy__(self, memo: dict[int, Any]) -> "MeshImages":
        # Nothing here ever changes: a copy would only load the models again.
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Kernels' arrays belong to one process.
        return self.__dict__ | {"_drawers": {}}


class _Drawer:
    """What a `MeshImages` needs on one device."""

    def __init__(self, generator: MeshImages, device: torch.device) -> None:
        self.generator, classes = generator, generator.meshes.classes
        meshes = generator.models.meshes
        self.first_texture = len(meshes.textures)
        self.textures = generator.texture.load(classes) if generator.texture else None
        if self.textures is not None:
            images = self.textures.images.permute(0, 2, 3, 1).numpy()
            textures = join_textures(meshes.textures, pack_textures(list(images)))
            tensors = meshes.tensors() | {f"textures.{name}": t for name, t in vars(textures).items()}
            meshes = meshes.from_tensors(meshes.names, tensors)
        self.pictures = generator.pictures.to(device) if generator.pictures else None
        self.textures = self.textures.to(device) if self.textures else None
        meshes, size, flat = meshes.to(device), generator.image_size, generator.flat
        self.renderer: Rasteriser | PathTracer
        if generator.path_samples:
            self.renderer = PathTracer(meshes, size, generator.path_samples, flat)
        else:
            self.renderer = Rasteriser(meshes, size, generator.supersampling, flat)
        self.colours, self.by_class = class_colours(len(classes)).to(device), generator.by_class.to(device)

    def batch(self, draws: Draws, columns: Mapping[str, Tensor]) -> Batch:
        """Returns the images of draws."""
        generator, label, seed = self.generator, columns["class"].long(), draws["seed"]
        behind = self._behind(label, columns, seed)
        views = self._views(label, columns, seed, behind)
        pictures = self.renderer.render(views, ["rgba", *generator.outputs])
        image, mask = pictures["rgba"][:, :3], pictures["rgba"][:, 3:]
        if generator.background:
            image = over(image, mask, behind)
        if generator.occlusion:
            image, mask = self._hidden(image, mask, columns, behind)
        batch = synthetic_batch(image, label, draws)
        batch["mask"], batch["box"] = mask, boxes(mask)
        batch["viewpoint"] = torch.stack([columns[name] for name in ("azimuth", "elevation", "tilt")], 1)
        for name in generator.outputs:
            batch[name] = pictures[name]
        return batch

    def _views(
        self, label: Int[Tensor, " b"], columns: Mapping[str, Tensor], seed: Tensor, behind: Float[Tensor, "b 3 h w"]
    ) -> Views:
        generator, zero = self.generator, torch.zeros_like(columns["azimuth"])
        focal = columns.get("focal length", zero + generator.focal_length[0])
        principal = torch.stack([columns.get("shift right", zero), columns.get("shift down", zero)], 1)
        azimuth, elevation, tilt, distance = (columns[name] for name in self.generator.views.columns)
        focus = torch.stack([columns.get(f"focal point {axis}", zero) for axis in "xyz"], 1)
        camera = Camera(azimuth, elevation, tilt, distance, focal, principal, focus)
        if generator.close_shot:
            front = replace(camera, azimuth=zero, elevation=zero).position()
            camera = replace(camera, focus=focus + generator.close_shot * (camera.position() - front))
        tint = texture = repeat = None
        if self.textures is not None:
            free = uniforms(seed, _SURFACE, 5)
            index = self.textures.by_class.choose(label, columns["texture"]) + self.first_texture
            own = free[:, 0] < generator.own_surface
            texture, repeat = torch.where(own, -1, index), 1 + 3 * free[:, 1]
            tint = 1 + _TINT * (2 * free[:, 2:] - 1)
        lights = generator.lighting.lights(columns, behind)
        model = generator.model_of(columns, self.by_class)
        views = Views(model, camera, lights, tint, texture, repeat, self.colours[label])
        return views if generator.fill is None else self.renderer.frame(views, generator.fill)

    def _behind(
        self, label: Int[Tensor, " b"], columns: Mapping[str, Tensor], seed: Tensor
    ) -> Float[Tensor, "b 3 h w"]:
        size = self.generator.image_size
        if self.pictures is None:
            return columns["azimuth"].new_zeros(len(label), 3, size, size)
        index = self.pictures.by_class.choose(label, columns["background"])
        return crops(self.pictures.images, index, uniforms(seed, _CROP, 4), size)

    def _hidden(
        self,
        image: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        columns: Mapping[str, Tensor],
        behind: Float[Tensor, "b 3 h w"],
    ) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 1 h w"]]:
        """Puts a square patch of the mirrored background before the object; without a background it is a hole."""
        side = columns["occluder size"]
        middle = (torch.arange(self.generator.image_size, device=image.device) + 0.5) / self.generator.image_size
        across = (middle - columns["occluder right"][:, None]).abs() <= side[:, None] / 2
        down = (middle - columns["occluder down"][:, None]).abs() <= side[:, None] / 2
        patch = (down[:, :, None] & across[:, None, :])[:, None]
        return torch.where(patch, behind.flip(3), image), mask.masked_fill(patch, 0)
