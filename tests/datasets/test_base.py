import re
from pathlib import Path

import pytest
import torch

from synthreal.batch import LabelledImages
from synthreal.datasets import Digits
from synthreal.datasets.base import in_memory
from synthreal.datasets.files import LabelledFiles
from synthreal.errors import ConfigError


def test_images_in_memory_are_handed_through():
    images = LabelledImages(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), torch.tensor([0]), ("cat",))
    assert in_memory(images) is images


def test_images_on_disk_are_refused_with_the_setting_to_change():
    with pytest.raises(ConfigError, match="set keep to memory"):
        in_memory(LabelledFiles((Path("cat.png"),), torch.tensor([0]), ("cat",), 8))


def test_a_split_that_there_is_not_is_refused():
    digits = Digits()
    digits.check_split("train")
    digits.check_split("test")
    with pytest.raises(ConfigError, match=re.escape("Digits has the splits train, test, but not 'validation'.")):
        digits.check_split("validation")
