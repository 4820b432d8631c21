"""Nothing happens to a batch."""

import torch

from synthreal.modules import Passthrough


def test_the_batch_comes_out_as_it_went_in():
    batch = {"image": torch.rand(2, 1, 4, 4), "label": torch.arange(2), "index": torch.arange(2)}
    module = Passthrough()
    assert module.predict_step(batch, 0) is batch
    assert not list(module.parameters())
