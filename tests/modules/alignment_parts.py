"""A small network, batches of two domains and trainings for the tests of alignment."""

import torch
from torch import nn
from torch.utils.data import DataLoader

from synthreal.modules import Classifier
from tests.trainer_parts import quiet_trainer

CORAL, DANN = "synthreal.losses.DeepCORAL", "synthreal.losses.DANN"


class Net(nn.Module):
    """Five features of four pixels, and classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(4, 5), nn.Linear(5, num_classes)

    def forward(self, image):
        return self.head(self.body(image.flatten(1)).tanh())


class Recorder(nn.Module):
    """Loss of 0 that remembers the progress it was told."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features, self.seen = num_features, []

    def forward(self, features, domain, progress):
        assert features.shape == (len(domain), self.num_features)
        self.seen.append(progress)
        return 0 * features.sum()


RECORDER = "tests.modules.alignment_parts.Recorder"


def classifier(alignment=None, **settings):
    torch.manual_seed(0)
    return Classifier(3, network="tests.modules.alignment_parts.Net", alignment=alignment, **settings)


def batch_of(seed=0, real=6, synthetic=4):
    """Real rows come first, as in MixedDataModule; the domains differ in brightness and contrast."""
    stream = torch.Generator().manual_seed(seed)
    domain = torch.tensor([0] * real + [1] * synthetic)
    image = torch.rand(real + synthetic, 1, 2, 2, generator=stream) * (1 - 0.5 * domain[:, None, None, None])
    return {
        "image": image,
        "label": torch.randint(3, (real + synthetic,), generator=stream),
        "domain": domain,
        "bucket": domain - 1,
    }


def loader_of(*batches):
    return DataLoader(batches, batch_size=None)


FIVE = [batch_of(seed) for seed in range(5)]


def fit(module, batches=FIVE, resume=None, **settings):
    trainer = quiet_trainer(**settings)
    data = batches if isinstance(batches, DataLoader) else loader_of(*batches)
    trainer.fit(module, data, loader_of(FIVE[0]), ckpt_path=resume)
    return trainer
