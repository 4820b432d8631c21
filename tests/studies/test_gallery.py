"""Pictures of runs that draw from buckets: each variant's own."""

import numpy as np
import pandas as pd
import pytest
import torch

from synthreal.studies import gallery
from synthreal.studies.cell import cell_folder
from synthreal.studies.spec import load_study
from tests.studies.study_parts import SMALL, write_study

GLYPHS = {**SMALL, "data.generator": {"class_path": "Glyphs", "init_args": {"image_size": 16}}}
VARIANTS = {
    "real alone": {**SMALL, "data.synthetic_per_batch": 0},
    "SampleAhead": SMALL,
    "other model": {**SMALL, "model.optimizer_args.lr": 0.1},
    "glyphs": GLYPHS,
}


@pytest.fixture
def sheets(monkeypatch):
    """The panels of each contact sheet that is drawn."""
    drawn = []
    draw = gallery.contact_sheet

    def kept(panels, classes):
        drawn.append(panels)
        return draw(panels, classes)

    monkeypatch.setattr(gallery, "contact_sheet", kept)
    return drawn


def keep(study, runs):
    """Records of one epoch with P0, and the results that go with them."""
    for variant in study.variants:
        folder = cell_folder(runs, variant, 0, study.steps[-1]) / "buckets"
        folder.mkdir(parents=True)
        prior = gallery._data(study, variant).generator.space.volumes().numpy()
        np.savez(folder / "epoch_0001.npz", difficulty=prior, probability=prior)
    return pd.DataFrame({"variant": list(study.variants), "seed": 0})


def test_each_variant_shows_what_its_own_generator_made_in_its_own_buckets(tmp_path, sheets):
    study = load_study(write_study(tmp_path, variants=VARIANTS, baseline="real alone", paper={}))
    figures = gallery.run_figures(study, tmp_path, keep(study, tmp_path))
    kinds = ("buckets", "effective_share")
    assert list(figures) == ["generated", *(f"{kind}_{name}" for name in VARIANTS for kind in kinds)]
    (panels,) = sheets
    assert list(panels) == ["real", *(f"{name}, epoch 1" for name in VARIANTS if name != "real alone")]
    first, same, other = (panels[f"{name}, epoch 1"][0] for name in list(VARIANTS)[1:])
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    sizes = [figures[f"buckets_{name}"][1].axes[0].images[0].get_array().size for name in VARIANTS]
    assert sizes[0] == sizes[1] == sizes[2] != sizes[3]


def test_without_real_images_and_records_there_is_no_picture(tmp_path, sheets):
    alone = {"synthetic alone": {**SMALL, "data.real_per_batch": 0}}
    study = load_study(write_study(tmp_path, variants=alone, baseline="synthetic alone", paper={}))
    assert gallery.run_figures(study, tmp_path, pd.DataFrame({"variant": ["synthetic alone"], "seed": 0})) == {}
    assert sheets == []
