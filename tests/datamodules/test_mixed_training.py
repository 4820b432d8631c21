"""Training on mixed data: runs that go on, a curriculum, two processes."""

import kornia.augmentation as K
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from tests.datamodules.mixed_parts import SIDE, PhotoFiles, Photos, Plus, Stripes, Tiny, make, trainer

RANDOM = {
    "real_transform": [K.RandomHorizontalFlip(), K.RandomAffine(20.0, p=1.0)],
    "synthetic_transform": [K.RandomCrop((SIDE, SIDE), padding=2), K.RandomGaussianNoise(p=0.5)],
}
STEPS, LAST_STEP = 4, 10  # the third epoch is cut short
KINDS = {
    "fresh": {"ratio": (1, 3)},
    "fixed": {"ratio": (1, 3), "synthetic_size": 10},
    "shuffled": {"ratio": None, "synthetic_size": 10},
    "curriculum": {"ratio": (0, 1), "curriculum": {1: (1, 3), 2: (1, 0)}, "synthetic_size": 10},
    "files": {"ratio": (1, 1), "dataset": PhotoFiles(), "generator": Stripes(channels=3)},
}


def train(kind, folder, workers=0, resume=None, callbacks=(), **limits):
    model = Tiny()
    torch.manual_seed(99 if resume else 1)  # a resumed process starts from another random state
    data = make(**KINDS[kind], **RANDOM, steps_per_epoch=STEPS, num_workers=workers)
    trainer(folder, callbacks=callbacks, **(limits or {"max_steps": LAST_STEP, "max_epochs": 4})).fit(
        model, datamodule=data, ckpt_path=resume
    )
    return model


@pytest.fixture(scope="module", params=KINDS)
def unbroken(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    every_step = ModelCheckpoint(folder, "step_{step}", save_top_k=-1, every_n_train_steps=1)
    every_epoch = ModelCheckpoint(folder, "epoch_{step}", save_top_k=-1, save_on_train_epoch_end=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # for the files
        return request.param, folder, train(request.param, folder, callbacks=[every_step, every_epoch])


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize(
    ("checkpoint", "workers"),
    [
        ("step_step=1", 0),
        ("step_step=4", 0),
        ("epoch_step=4", 0),
        ("step_step=4", 2),
        ("epoch_step=4", 2),
        ("step_step=6", 2),
    ],
)
def test_a_resumed_run_is_the_unbroken_run(unbroken, monkeypatch, checkpoint, workers):
    kind, folder, model = unbroken
    monkeypatch.chdir(folder)
    again = train(kind, folder / "again", workers, resume=folder / f"{checkpoint}.ckpt")
    assert sorted(model.trained) == list(range(LAST_STEP))
    assert sorted(again.trained) == list(range(int(checkpoint[-1]), LAST_STEP))
    for step, image in again.trained.items():
        assert torch.equal(image, model.trained[step]), f"other images at step {step}"
    assert torch.equal(again.layer.weight, model.layer.weight)


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("kind", ["fixed", "curriculum"])
def test_no_epoch_is_lost_when_epochs_are_cut_short(kind, tmp_path):
    limits = {"max_epochs": 3, "limit_train_batches": 3}
    every_epoch = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    model = train(kind, tmp_path, callbacks=[every_epoch], **limits)
    again = train(kind, tmp_path, resume=tmp_path / "epoch=0.ckpt", **limits)
    assert sorted(again.trained) == list(range(3, 9))
    assert all(torch.equal(image, model.trained[step]) for step, image in again.trained.items())
    assert torch.equal(again.layer.weight, model.layer.weight)


def test_a_curriculum_reaches_the_model(tmp_path):
    data = make(**KINDS["curriculum"], steps_per_epoch=STEPS, synthetic_transform=[Plus(5)])
    model = Tiny()
    trainer(tmp_path, max_epochs=4).fit(model, datamodule=data)
    synthetic = [int((image.amin((1, 2, 3)) >= 5).sum()) for image in model.trained.values()]
    assert synthetic == [8] * STEPS + [6] * STEPS + [0] * 2 * STEPS


class RankTiny(Tiny):
    """Writes what each rank has seen, and its weights, to a file."""

    def keep(self, seen):
        torch.save({"seen": seen, "weight": self.layer.weight.detach()}, f"rank_{self.global_rank}.pt")

    def on_train_end(self):
        self.keep(list(self.trained.values()))

    def on_test_end(self):
        self.keep({name: [batch["index"] for batch in batches] for name, batches in self.tested.items()})


def on_ranks(folder, devices, run):
    """What each of so many processes has seen, and its weights."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(devices)
    return [torch.load(folder / f"rank_{rank}.pt", weights_only=True) for rank in range(devices)]


def rows(images):
    """The images of a batch as a multiset."""
    return sorted(image.numpy().tobytes() for image in images)


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*")
@pytest.mark.parametrize("kind", ["fresh", "fixed", "shuffled"])
def test_two_ranks_are_one(kind, tmp_path):
    def fit(devices):
        """Without transforms: each rank's images have random numbers of their own."""
        data = make(**{**KINDS[kind], "batch_size": 16}, steps_per_epoch=STEPS)
        trainer(devices=devices, max_epochs=2).fit(RankTiny(), datamodule=data)

    (one,), two = on_ranks(tmp_path / "one", 1, fit), on_ranks(tmp_path / "two", 2, fit)
    assert len(one["seen"]) == 2 * STEPS
    for whole, *parts in zip(one["seen"], two[0]["seen"], two[1]["seen"], strict=True):
        assert [len(part) for part in parts] == [8, 8]
        assert rows(torch.cat(parts)) == rows(whole)
    assert torch.equal(two[0]["weight"], two[1]["weight"])
    torch.testing.assert_close(two[0]["weight"], one["weight"], rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*")
@pytest.mark.parametrize("size", [4, 100])
def test_two_ranks_score_every_image_once(size, tmp_path):
    def test(devices):
        """A set smaller than a batch has something for both, too."""
        data = make(tests={"few": Stripes(), "other": Photos(test=5)}, test_size=7, eval_batch_size=size)
        trainer(devices=devices).test(RankTiny(), datamodule=data, verbose=False)

    ranks = on_ranks(tmp_path / "two", 2, test)
    for number, count in enumerate([11, 7, 5]):
        index = [torch.cat(rank["seen"][number]).tolist() for rank in ranks]
        assert sorted(index[0] + index[1]) == list(range(count))
        assert abs(len(index[0]) - len(index[1])) == 1
