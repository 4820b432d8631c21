"""Errors of nearest neighbours against scikit-learn's, on descriptors from a plain loop."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from synthreal.callbacks import NearestNeighbour, nearest_neighbour
from synthreal.callbacks.nearest_neighbour import vote_of_nearest
from synthreal.datamodules import MixedDataModule
from synthreal.datamodules.foreground import Phase
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Glyphs
from synthreal.modules import Classifier
from tests.modules.gmcml_parts import CLASSES, Alone, Codes, Colours, data, gmcml, trainer

NAME = "nn_error"


class Pale(Codes):
    """Other poses than those of the gallery, and less of the colour that tells the class."""

    def __init__(self):
        super().__init__(poses=60)

    def generate(self, draws, device):
        made = super().generate(draws, device)
        return {**made, "image": made["image"] - 0.4 * made["semantic"]}


def two_sets(**settings):
    """Two test sets, of 30 and 60 images."""
    return data(Phase(Codes(), 40), tests={"real": Colours(), "pale": Pale()}, **settings)


def errors(module, held, callback, **settings):
    quiet = trainer(callbacks=[callback], **settings)
    (scores, *_) = quiet.test(module, datamodule=held, verbose=False)
    return {name: value for name, value in scores.items() if name.endswith(NAME)}


def described(module, batch):
    with torch.no_grad():
        return module.eval().network.recognise(batch["image"], batch["image"]).descriptor.numpy(), batch["label"]


def gallery_of(module, held):
    draws = held.gallery.draws
    return described(module, held.phases[-1].generator.generate(draws, torch.device("cpu")))


def queries_of(module, held):
    for name, part in held.sets.items():
        yield name, *described(module, part.batch(part.select(torch.arange(len(part)))))


def test_the_nearest_image_s_class_as_scikit_learn_finds_it():
    module, held = gmcml(), two_sets()
    found = errors(module, held, NearestNeighbour())
    reference = KNeighborsClassifier(1).fit(*gallery_of(module, held))
    wanted = {f"test/{name}/{NAME}": 100 * (1 - reference.score(x, y)) for name, x, y in queries_of(module, held)}
    assert found == pytest.approx(wanted, abs=1e-4)
    assert all(5 < error < 95 for error in found.values()), "an easy case tells nothing"
    assert found["test/real/nn_error"] != found["test/pale/nn_error"]


@pytest.mark.parametrize("neighbours", [2, 3, 6])
def test_most_of_the_neighbours_decide_and_the_nearest_where_they_are_even(neighbours):
    module, held = gmcml(), two_sets()
    found = errors(module, held, NearestNeighbour(neighbours))
    known, labels = gallery_of(module, held)
    reference = KNeighborsClassifier(neighbours).fit(known, labels)
    for name, x, y in queries_of(module, held):
        nearest = labels[reference.kneighbors(x, return_distance=False)].tolist()
        votes = [Counter(row).most_common(1)[0][0] for row in nearest]  # the first of equal counts
        assert found[f"test/{name}/{NAME}"] == pytest.approx(100 * (1 - np.mean(np.equal(votes, y.numpy()))), abs=1e-4)


def test_a_test_set_alone_needs_no_name():
    settings = {"tests": {"pale": Pale()}, "gallery_size": 50, "test_size": 60, "seed": 3}
    found = errors(gmcml(), Alone([Phase(Codes(), 40)], **settings), NearestNeighbour())
    assert found == {"test/nn_error": errors(gmcml(), two_sets(), NearestNeighbour())["test/pale/nn_error"]}


def test_another_test_begins_anew():
    callback, held = NearestNeighbour(), two_sets()
    first, other = gmcml(), gmcml()
    torch.nn.init.normal_(other.network.classifier.first.weight)
    alone = errors(other, held, NearestNeighbour())
    assert errors(first, held, callback) != alone
    assert errors(other, held, callback) == alone


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
def test_two_processes_score_as_one():
    several = {"devices": 2, "strategy": "ddp_fork", "use_distributed_sampler": False}
    one, two = (errors(gmcml(), two_sets(), NearestNeighbour(3), **settings) for settings in ({}, several))
    assert one == pytest.approx(two, abs=1e-4)


class Same(Codes):
    """Has the very images of the gallery."""

    def stored(self):
        return data(Phase(Codes(), 40)).gallery.draws


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_gallery_is_seen_as_test_images_are(precision, monkeypatch):
    seen = []
    monkeypatch.setattr(
        nearest_neighbour, "vote_of_nearest", lambda *given: seen.append(given) or vote_of_nearest(*given)
    )
    arguments = {"image_size": 8, "widths": [4], "dropout": 0.9}
    module = gmcml(reconstructor="synthreal.networks.FCN", reconstructor_args=arguments)
    held = data(Phase(Codes(), 40), tests={"same": Same()})
    assert errors(module, held, NearestNeighbour(), precision=precision) == {"test/same/nn_error": 0}
    ((descriptor, known, label, _),) = seen
    torch.testing.assert_close(descriptor, known, rtol=0, atol=1e-6)
    assert torch.equal(label, held.gallery.draws["parameters"][:, 0].long())


# The vote


def column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_votes_by_hand():
    known, label = column(0, 1, 2, 3, 10, 11), torch.tensor([2, 0, 0, 1, 1, 2])
    query = column(0.1, 10.6, 2.6)
    assert vote_of_nearest(query, known, label, 1).tolist() == [2, 2, 1]
    assert vote_of_nearest(query, known, label, 2).tolist() == [2, 2, 1]  # even
    assert vote_of_nearest(query, known, label, 3).tolist() == [0, 1, 0]


def test_close_descriptors_far_from_zero_are_told_apart():
    known = 1000 + torch.arange(64)[:, None] / 16  # a matrix product of their squares cannot see 1 / 16
    label = torch.arange(64) % 4
    assert torch.equal(vote_of_nearest(known + 1 / 64, known, label, 1), label)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_votes_as_a_plain_loop_counts_them(seed, neighbours):
    random = np.random.default_rng(seed)
    known, query = random.standard_normal((12, 3)), random.standard_normal((5, 3))
    label = random.integers(0, 4, 12)
    wanted = []
    for row in query:
        order = np.argsort(((known - row) ** 2).sum(1))[:neighbours]
        counts = Counter(label[order].tolist())
        wanted.append(next(one for one in label[order].tolist() if counts[one] == max(counts.values())))
    found = vote_of_nearest(torch.tensor(query), torch.tensor(known), torch.tensor(label), neighbours)
    assert found.tolist() == wanted


# Bad input


@pytest.mark.parametrize("neighbours", [0, -1])
def test_at_least_one_neighbour(neighbours):
    with pytest.raises(ConfigError, match=f"neighbours is at least 1, not {neighbours}"):
        NearestNeighbour(neighbours)


def test_no_more_neighbours_than_there_are():
    with pytest.raises(ConfigError, match="neighbours is 41, but the gallery has 40 images: raise gallery_size"):
        errors(gmcml(), two_sets(), NearestNeighbour(41))
    assert errors(gmcml(), two_sets(), NearestNeighbour(40))


def test_other_modules_and_other_data_are_refused():
    mixed = MixedDataModule(Digits(16, 200), Glyphs(16), batch_size=8)
    with pytest.raises(ConfigError, match="NearestNeighbour follows a GMCML on a ForegroundDataModule, not a GMCML on"):
        errors(gmcml(), mixed, NearestNeighbour())
    with pytest.raises(ConfigError, match="not a Classifier on a MixedDataModule"):
        errors(Classifier(network_args={"image_size": 16}), mixed, NearestNeighbour())
    with pytest.raises(ConfigError, match="not a GMCML on a NoneType"):
        trainer(callbacks=[NearestNeighbour()]).test(gmcml(), [], verbose=False)


def test_all_of_them_are_named_in_a_config(tmp_path):
    (tmp_path / "config.yaml").write_text("""
model: {class_path: GMCML, init_args: {num_classes: 10}}
data:
  class_path: ForegroundDataModule
  init_args: {phases: [{generator: {class_path: Painted, init_args: {generator: {class_path: Glyphs}}}, size: 50}]}
trainer:
  accelerator: cpu
  logger: false
  callbacks:
    - {class_path: NearestNeighbour, init_args: {neighbours: 3}}
    - {class_path: Reconstructions, init_args: {every: 7, examples: 4}}
    - {class_path: DescriptorMaps}
    - {class_path: NoiseCurves}
""")
    callbacks = {
        type(one).__name__: one for one in ExperimentCLI(["--config", "config.yaml"], run=False).trainer.callbacks
    }
    assert callbacks["NearestNeighbour"].neighbours == 3
    assert (callbacks["Reconstructions"].every, callbacks["Reconstructions"].examples) == (7, 4)
    assert {"DescriptorMaps", "NoiseCurves"} <= callbacks.keys()


def test_the_gallery_has_all_classes():
    assert set(gallery_of(gmcml(), two_sets())[1].tolist()) == set(range(len(CLASSES)))
