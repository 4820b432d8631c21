"""Places365: photos by scene, as backgrounds that suit a class."""

from collections.abc import Sequence
from pathlib import Path

from synthreal.datasets.decoding import Corrupt
from synthreal.datasets.pictures import Pictures, Scenes
from synthreal.errors import ConfigError, DatasetNotFoundError

_SCENES = {
    "alarm_clock": "atrium/public attic bedroom general_store/indoor gift_shop home_office living_room bedchamber",
    "backpack": "atrium/public attic bedroom classroom living_room office",
    "basketball": "arena/performance basketball_court/indoor",
    "pc_keyboard": "atrium/public bedroom booth/indoor childs_room classroom computer_room home_office office",
    "computer_desk": "archive art_school art_studio attic bedroom bow_window/indoor childs_room classroom home_office "
    "office",
    "digital_clock": "atrium/public attic bedroom classroom gift_shop home_office living_room office bedchamber",
    "food_table": "archive attic bakery/shop balcony/interior banquet_hall bar bow_window/indoor cafeteria coffee_shop "
    "dining_hall dining_room fastfood_restaurant",
    "laptop": "atrium/public bedroom bedchamber bookstore booth/indoor childs_room classroom computer_room home_office "
    "living_room office",
    "pc_monitor": "atrium/public bedroom bedchamber bookstore childs_room classroom computer_room home_office "
    "living_room office television_room",
    "pc_mouse": "bedroom bedchamber bookstore booth/indoor childs_room classroom computer_room home_office office",
    "tv_remote": "bedroom berth computer_room general_store/indoor home_theater television_room",
    "soccer": "athletic_field/outdoor baseball_field football_field soccer_field stadium/football stadium/soccer",
    "toaster": "cafeteria coffee_shop dining_room fastfood_restaurant general_store/indoor gift_shop kitchen "
    "restaurant_kitchen",
    "vase": "artists_loft art_school art_studio cafeteria dining_room general_store/indoor gift_shop kitchen "
    "restaurant_kitchen storage_room supermarket",
    "wall_clock": "bedchamber bedroom berth general_store/indoor living_room office",
    "banana": "bakery/shop banquet_hall cafeteria candy_store coffee_shop dining_room fastfood_restaurant kitchen "
    "restaurant_kitchen supermarket",
    "cup": "bakery/shop banquet_hall bar cafeteria candy_store coffee_shop dining_room fastfood_restaurant kitchen "
    "restaurant_kitchen supermarket",
}

BENCHMARK_SCENES = {name: scenes.split() for name, scenes in _SCENES.items()}
"""Scenes of the 17 classes of "Benchmarking Visual Synthetic vs Real data in DL models" (Table 3, sec. 4.2.2).

The paper counts 205 categories, but its names are those of Places365; the one that is not, `child_sroom`, is
`childs_room` there.
"""


class Places365(Scenes):
    """Places365-Standard (Zhou et al., 2017): photos of 365 scenes, up to 5,000 each.

    Layout of the small images (256 × 256): `<root>/data_256/<first letter>/<scene>/*.jpg`, such as
    `data_256/a/atrium/public/00000001.jpg`; or the same without `data_256`.

    Args:
        root: The folder.
        scenes: Scene categories of each class; None takes `BENCHMARK_SCENES`.
        per_scene: At most this many photos of each scene, the first by name; None takes all. They are held in memory:
            those of `BENCHMARK_SCENES` at 128 pixels are 1 GB with 500 and 11 GB with all.
        side: Pictures are scaled and cut to squares of this many pixels.
        corrupt: Stop at a file that is no picture, or skip it with a warning.

    Raises:
        ConfigError: If no scene is given, or `per_scene` is below 1.
    """

    def __init__(
        self,
        root: str,
        scenes: dict[str, list[str]] | None = None,
        per_scene: int | None = 500,
        side: int = 128,
        corrupt: Corrupt = "stop",
    ) -> None:
        if per_scene is not None and per_scene < 1:
            raise ConfigError(f"per_scene is at least 1, not {per_scene}.")
        self.per_scene = per_scene
        small = Path(root) / "data_256"
        wanted = BENCHMARK_SCENES if scenes is None else scenes
        folders = {name: [Path(scene[:1], scene).as_posix() for scene in group] for name, group in wanted.items()}
        super().__init__(str(small if small.is_dir() else root), folders, side, corrupt)

    def load(self, classes: Sequence[str]) -> Pictures:
        """See `PictureSource.load`."""
        if not self.root.is_dir():
            remedy = "Get the small images of Places365-Standard from places2.csail.mit.edu and unpack them there."
            raise DatasetNotFoundError("Places365", str(self.root), remedy)
        return super().load(classes)

    def _files(self, scene: str) -> list[Path]:
        return super()._files(scene)[: self.per_scene]
