"""Pictures that people look at: nothing of them is cut off."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from synthreal.plots import contact_sheet


@pytest.mark.parametrize("panels", [1, 2, 3])
@pytest.mark.parametrize(("side", "classes"), [(16, 10), (32, 2), (64, 17)])
def test_no_title_of_a_contact_sheet_touches_its_edge(panels, side, classes):
    names = [str(label) for label in range(classes)]
    sheet = torch.rand(classes, 1, side, side), torch.arange(classes)
    saved = BytesIO()
    contact_sheet({f"fit {number}": sheet for number in range(panels)}, names).savefig(saved, format="png", dpi=120)
    pixels = np.asarray(Image.open(saved).convert("L"))
    assert (pixels[[0, -1]] == 255).all()
    assert (pixels[:, [0, -1]] == 255).all()
