"""A history of generated images for the discriminator."""

from typing import TypedDict

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from synthreal.errors import ConfigError


class PoolState(TypedDict):
    """What a checkpoint keeps of a pool."""

    images: Tensor
    filled: int


class ImagePool(nn.Module):
    """Shows the discriminator earlier images among the newest (Shrivastava et al. 2017, sec. 2.3).

    The first `size` images are stored and returned. Each later one is returned as it is, or, with probability 1/2,
    takes the place of a stored one picked at random, which is returned in its stead. One image after the other, so a
    later image of a batch may fetch an earlier one of it. Random numbers are those of torch on the images' device.

    Args:
        size: How many images are stored, 50 in CycleGAN; 0 returns all images as they are.

    Raises:
        ConfigError: If the size is negative, or the state of a pool of another size is loaded.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        if size < 0:
            raise ConfigError(f"A pool stores 0 images or more, not {size}.")
        self.size, self.filled = size, 0
        # Its shape is that of the first images, so it travels as extra state. No buffer: an average of models averages
        # those, and several processes share the first one's.
        self.images = torch.empty(0)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns images in exchange for images, without a gradient."""
        if self.size == 0:
            return images.detach()
        count, device = len(images), images.device
        slot = torch.randint(self.size, (count,), device=device)
        return self.exchange(images, slot, torch.rand(count, device=device) < 0.5)

    @torch.no_grad()
    def exchange(
        self, images: Float[Tensor, "b c h w"], slot: Int64[Tensor, " b"], swapped: Bool[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """Returns what is in their slot for the swapped images, whose place they take, and the others as they are.

        Args:
            images: Of one shape, always.
            slot: For each image one of `size`; those that fill the pool get the next free one instead.
            swapped: For each image; those that fill the pool are stored in any case.
        """
        stored = self._stored(images)
        slots, index = torch.arange(self.size, device=slot.device), torch.arange(len(slot), device=slot.device)
        filling = index < self.size - self.filled
        slot = torch.where(filling, self.filled + index, slot)
        # What is stored, then the images, by slot and time; those that are not stored come last.
        key = torch.cat([slots, torch.where(filling | swapped, slot, self.size)])
        key, order = key.sort(stable=True)
        before = torch.empty_like(order).scatter_(0, order, order.roll(1))[self.size :]
        last = order[torch.searchsorted(key, slots, right=True) - 1]
        both = torch.cat([stored, images])
        self.images, self.filled = both[last], min(self.size, self.filled + len(images))
        return both[torch.where(swapped & ~filling, before, self.size + index)]

    def _stored(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "s c h w"]:
        if self.filled == 0:
            return images.new_zeros(self.size, *images.shape[1:])
        if self.images.shape[1:] != images.shape[1:]:
            raise ConfigError(
                f"The pool holds images of {list(self.images.shape[1:])}, so none of {list(images.shape[1:])} can be "
                "exchanged for them: scale or crop all to one size."
            )
        return self.images.to(images.device)

    def get_extra_state(self) -> PoolState:
        """Returns what a checkpoint keeps."""
        return {"images": self.images, "filled": self.filled}

    def set_extra_state(self, state: PoolState) -> None:
        """Takes over what `get_extra_state` returned.

        Raises:
            ConfigError: If it is of a pool of another size.
        """
        if state["filled"] and len(state["images"]) != self.size:
            raise ConfigError(f"The checkpoint's pool stores {len(state['images'])} images: set its size to that.")
        self.images, self.filled = state["images"], state["filled"]
