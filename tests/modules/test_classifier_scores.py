"""A classifier's scores in validation and test, by scikit-learn, on one process and two."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from sklearn import metrics as sk

from tests.modules.classifier_parts import Shares, batch_of, batches_with_every_class, classifier, loader_of, softmax
from tests.trainer_parts import quiet_trainer


def scored(module, batches):
    """What the module should score on all batches together, by scikit-learn; without a prefix."""
    image, label = (torch.cat([batch[key] for batch in batches]) for key in ("image", "label"))
    logits, label = module(image).detach().double().numpy(), label.numpy()
    guess = logits.argmax(1)
    return {
        # a batch counts as many times as it has images
        "loss": sk.log_loss(label, softmax(logits), labels=range(6)),
        "error": 100 * (guess != label).mean(),
        "top1": (guess == label).mean(),
        "top3": sk.top_k_accuracy_score(label, logits, k=3, labels=range(6)),
        "top5": sk.top_k_accuracy_score(label, logits, k=5, labels=range(6)),
        "precision": sk.precision_score(label, guess, average="macro", zero_division=0),
        "recall": sk.recall_score(label, guess, average="macro", zero_division=0),
    }, {f"accuracy_{k}": (guess[label == k] == k).mean() for k in range(6)}


def prefixed(prefix, *scores):
    return {prefix + name: value for part in scores for name, value in part.items()}


def test_validation_scores_all_batches_together():
    module, batches = classifier(), batches_with_every_class(1)
    (scores,) = quiet_trainer().validate(module, loader_of(*batches), verbose=False)
    assert scores == pytest.approx(prefixed("val/", scored(module, batches)[0]), abs=1e-5)


@pytest.mark.parametrize("form", [lambda loader: loader, lambda loader: [loader]])
def test_a_single_test_set_needs_no_name(form):
    module, batches = classifier(), batches_with_every_class(1)
    (scores,) = quiet_trainer().test(module, form(loader_of(*batches)), verbose=False)
    assert scores == pytest.approx(prefixed("test/", *scored(module, batches)), abs=1e-5)


# not in the order of the alphabet
@pytest.mark.parametrize("names", [["real", "new models", "bare"], ["real"]])
def test_each_test_set_has_scores_under_its_name(names):
    module = classifier()
    sets = {name: batches_with_every_class(10 * i) for i, name in enumerate(names)}
    results = quiet_trainer().test(module, {name: loader_of(*set_) for name, set_ in sets.items()}, verbose=False)
    expected = {}
    for name, batches in sets.items():
        expected |= prefixed(f"test/{name}/", *scored(module, batches))
    assert len({expected[f"test/{name}/loss"] for name in names}) == len(names)
    for scores in results:  # one of each loader, all of them whole
        assert scores == pytest.approx(expected, abs=1e-5)


def test_several_test_sets_without_names_are_numbered():
    module = classifier()
    sets = [batches_with_every_class(10), batches_with_every_class(20)]
    scores, _ = quiet_trainer().test(module, [loader_of(*batches) for batches in sets], verbose=False)
    assert scores == pytest.approx(
        prefixed("test/0/", *scored(module, sets[0])) | prefixed("test/1/", *scored(module, sets[1])), abs=1e-5
    )


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
def test_two_processes_score_as_one():
    module, data = classifier(), Shares()
    trainer = quiet_trainer(devices=2, strategy="ddp_fork", use_distributed_sampler=False)
    scores, _ = trainer.test(module, datamodule=data, verbose=False)
    expected = {}
    for name, batches in data.sets.items():
        expected |= prefixed(f"test/{name}/", *scored(module, batches))
    assert scores == pytest.approx(expected, abs=1e-5)


def test_a_test_step_says_what_is_predicted_and_how_surely():
    module, batch = classifier(), batch_of()
    seen = []

    class Keep(Callback):
        def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
            seen.append(outputs)

    quiet_trainer(callbacks=[Keep()]).test(module, loader_of(batch), verbose=False)
    probability = softmax(module(batch["image"]).detach().numpy())
    (out,) = seen
    assert out["prediction"].dtype == torch.int64
    np.testing.assert_array_equal(out["prediction"].numpy(), probability.argmax(1))
    np.testing.assert_allclose(out["confidence"].numpy(), probability.max(1), rtol=1e-5)


def test_a_second_evaluation_starts_from_nothing():
    module, trainer = classifier(), quiet_trainer()
    loader = [loader_of(batch_of(9, seed=seed)) for seed in (1, 2)]
    alone = trainer.test(module, loader[1], verbose=False)
    trainer.test(module, loader[0], verbose=False)
    assert trainer.test(module, loader[1], verbose=False) == alone
