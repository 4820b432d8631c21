import hashlib

import numpy as np
import pytest
import torch

from synthreal.batch import Domain, LabelledImages, join, numbered, real_batch, select_draws, synthetic_batch
from synthreal.errors import ConfigError

CLASSES = ("cat", "dog", "cow")


def images(count=5, labels=(0, 2, 1, 2, 0), channels=1):
    pixels = torch.arange(count * channels * 6, dtype=torch.uint8).view(count, channels, 2, 3)
    return LabelledImages(pixels, torch.tensor(labels[:count]), CLASSES)


def test_domains_are_numbered_as_the_contract_says():
    assert (Domain.REAL, Domain.SYNTHETIC) == (0, 1)


def test_select_keeps_the_order_asked_for():
    chosen = images().select(torch.tensor([3, 0, 3]))
    assert chosen.labels.tolist() == [2, 0, 2]
    assert chosen.images[:, 0, 0, 0].tolist() == [18, 0, 18]
    assert chosen.classes == CLASSES
    assert len(chosen) == 3


def test_batch_holds_real_images_between_zero_and_one():
    batch = images(channels=3).batch(torch.tensor([4, 1]))
    assert batch["image"].dtype == torch.float32
    expected = np.stack([np.arange(72, 90), np.arange(18, 36)]).reshape(2, 3, 2, 3) / 255
    np.testing.assert_allclose(batch["image"].numpy(), expected, rtol=1e-6)
    assert batch["label"].tolist() == [0, 2]
    assert batch["domain"].tolist() == [Domain.REAL] * 2
    assert batch["bucket"].tolist() == [-1, -1]


def test_batch_of_none_is_empty():
    batch = images().batch(torch.zeros(0, dtype=torch.int64))
    assert batch["image"].shape == (0, 1, 2, 3)
    assert batch["label"].shape == (0,)


def test_shape_is_that_of_one_image():
    assert images(channels=3).shape == (3, 2, 3)


def test_to_the_same_device_is_itself():
    here = images()
    assert here.to(torch.device("cpu")) is here


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (torch.zeros(2, 1, 2, 3), torch.tensor([0, 1]), "uint8"),
        (torch.zeros(2, 2, 3, dtype=torch.uint8), torch.tensor([0, 1]), r"\[N, C, H, W\]"),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), torch.tensor([0, 1, 2]), "2 images but labels"),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), torch.tensor([[0], [1]]), "2 images but labels"),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), torch.tensor([0, 3]), "from 0 to 3, but there are 3 classes"),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), torch.tensor([-1, 1]), "from -1 to 1"),
        (torch.zeros(2, 1, 2, 3, dtype=torch.uint8), torch.tensor([0.5, 1.0]), "int64"),
    ],
)
def test_what_does_not_fit_together_is_refused(pixels, labels, message):
    # past the constructor, where the type check of the tests would be first
    made = object.__new__(LabelledImages)
    vars(made).update(images=pixels, labels=labels, classes=CLASSES)
    with pytest.raises(ConfigError, match=message):
        made.__post_init__()


def test_labels_out_of_range_are_refused_by_the_constructor():
    with pytest.raises(ConfigError, match="from 0 to 3"):
        LabelledImages(torch.zeros(2, 1, 2, 3, dtype=torch.uint8), torch.tensor([0, 3]), CLASSES)


def test_fingerprint_is_the_hash_of_shape_names_pixels_and_labels():
    some = images()
    digest = hashlib.sha256(repr(((5, 1, 2, 3), CLASSES)).encode())
    digest.update(bytes(range(30)))
    digest.update(np.array([0, 2, 1, 2, 0], dtype="<i8").tobytes())
    assert some.fingerprint() == digest.hexdigest()


def test_fingerprint_tells_every_part_apart():
    some = images()
    brighter = some.images.clone()
    brighter[4, 0, 1, 2] += 1
    others = [
        LabelledImages(brighter, some.labels, CLASSES),
        LabelledImages(some.images, torch.tensor([0, 2, 1, 2, 1]), CLASSES),
        LabelledImages(some.images, some.labels, ("cat", "dog", "hen")),
        LabelledImages(some.images.view(5, 1, 3, 2), some.labels, CLASSES),
        some.select(torch.tensor([1, 0, 2, 3, 4])),
        some.select(torch.zeros(0, dtype=torch.int64)),
    ]
    assert len({image.fingerprint() for image in [some, *others]}) == 7
    assert images().fingerprint() == some.fingerprint()
    # the same pixels in another memory layout are the same images
    strided = LabelledImages(some.images.transpose(2, 3).contiguous().transpose(2, 3), some.labels, CLASSES)
    assert strided.fingerprint() == some.fingerprint()


def test_digests_are_the_hash_of_each_images_pixels():
    some = images()
    expected = [hashlib.sha256(bytes(range(6 * i, 6 * i + 6))).hexdigest() for i in range(5)]
    assert some.digests() == expected
    # labels do not matter, nor the layout in memory
    strided = LabelledImages(some.images.transpose(2, 3).contiguous().transpose(2, 3), some.labels.flip(0), CLASSES)
    assert strided.digests() == expected
    assert some.select(torch.tensor([3, 0])).digests() == [expected[3], expected[0]]
    assert some.select(torch.zeros(0, dtype=torch.int64)).digests() == []


def draws(count=4):
    number = torch.arange(count)
    return {"bucket": number + 10, "parameters": torch.stack([number + 0.5, -number.float()], 1), "seed": number + 20}


def test_select_draws_takes_rows_in_the_order_asked_for():
    chosen = select_draws({**draws(), "index": torch.arange(4)}, torch.tensor([3, 0, 3]))
    assert list(chosen) == ["bucket", "parameters", "seed"]
    assert chosen["bucket"].tolist() == [13, 10, 13]
    assert chosen["parameters"].tolist() == [[3.5, -3.0], [0.5, 0.0], [3.5, -3.0]]
    assert chosen["seed"].tolist() == [23, 20, 23]


def test_numbered_draws_tell_which_rows_they_are():
    chosen = numbered(draws(), torch.tensor([2, 1]))
    assert chosen["index"].tolist() == [2, 1]
    assert chosen["seed"].tolist() == [22, 21]


def real(count=2, size=3):
    return real_batch(torch.full((count, 1, size, size), 0.25), torch.arange(count))


def synthetic(count=3, size=3):
    return synthetic_batch(torch.full((count, 1, size, size), 0.75), torch.arange(count) + 5, draws(count))


def test_real_and_synthetic_batches_say_where_they_are_from():
    assert real()["domain"].tolist() == [Domain.REAL] * 2
    assert real()["bucket"].tolist() == [-1, -1]
    made = synthetic()
    assert made["domain"].tolist() == [Domain.SYNTHETIC] * 3
    assert made["bucket"].tolist() == [10, 11, 12]
    assert torch.equal(made["parameters"], draws(3)["parameters"])


def test_join_keeps_the_order_and_fills_parameters_up():
    both = join([synthetic(), real(), synthetic(1)])
    assert both["label"].tolist() == [5, 6, 7, 0, 1, 5]
    assert both["domain"].tolist() == [1, 1, 1, 0, 0, 1]
    assert both["bucket"].tolist() == [10, 11, 12, -1, -1, 10]
    assert both["image"][:, 0, 0, 0].tolist() == [0.75] * 3 + [0.25] * 2 + [0.75]
    assert both["parameters"][:3].equal(draws(3)["parameters"])
    assert both["parameters"][3:5].isnan().all()
    assert both["parameters"][5].tolist() == [0.5, 0.0]


def test_join_keeps_the_keys_that_all_have():
    masked = {**synthetic(), "mask": torch.ones(3, 1, 3, 3)}
    assert set(join([masked, synthetic()])) == {"image", "label", "domain", "bucket", "parameters"}
    assert join([masked, masked])["mask"].shape == (6, 1, 3, 3)
    assert set(join([real(), real()])) == {"image", "label", "domain", "bucket"}


def test_join_of_one_is_that_one_and_leaves_its_parts_alone():
    one, other = synthetic(), real()
    alone = join([one])
    assert all(torch.equal(alone[key], one[key]) for key in one)
    join([one, other])
    assert set(other) == {"image", "label", "domain", "bucket"}
