"""A short training, for the tests of networks."""

from torch.nn import functional as F


def loss_after(steps, network, optimiser, image, label):
    """Cross-entropy that the last of so many steps on one batch starts from."""
    for _ in range(steps):
        loss = F.cross_entropy(network(image), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()
