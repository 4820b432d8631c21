"""The variational coder, which paints M' from a few latent Gaussians (GM-CML paper, sec. IV-A)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthreal.networks.pixel_coders import code_of_image, hidden_layer, image_of_code, prepared
from synthreal.networks.reconstruction import Reconstruction, Reconstructor

_BOUND = 10.0  # of log variances: their exponentials are finite in half precision, too


class VariationalCoder(Reconstructor):
    """Encodes an image as Gaussians q(z|O) and decodes a sample of them, or their mean, into M'.

    3 × 3 convolutions of stride 2, a fully connected layer, latent means and log variances, two fully connected layers,
    mirrored deconvolutions. Batch norm, ReLU and dropout follow each but the latent; batch norm alone the last, see
    `decoder`. 1,139,145 parameters by default: with biases everywhere, and batch norm after the fully connected layers
    and the output as well.

    Args:
        image_size: Side of the images, pixels, at least 2 to the number of widths.
        in_channels: Channels of the images.
        latent: Number of latent Gaussians.
        widths: Channels of each convolution; the deconvolutions mirror them.
        hidden: Units of the fully connected layers before and after the latent.
        dropout: Share of units that are dropped after each layer with ReLU.

    Raises:
        ConfigError: If there are no widths, or too many for the image's size.
    """

    def __init__(
        self,
        image_size: int = 112,
        in_channels: int = 3,
        latent: int = 32,
        widths: Sequence[int] = (64, 64, 64, 128, 128),
        hidden: int = 128,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.encoder = code_of_image(image_size, in_channels, widths, hidden, dropout)
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            hidden_layer(nn.Linear(latent, hidden), nn.BatchNorm1d(hidden), dropout),
            image_of_code(image_size, widths, hidden, dropout),
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Reconstruction:
        """Returns M' for images in [0, 1], or for such images with noise in them; a training batch has at least 2.

        While training, M' is decoded from a sample z = μ + σ ε with ε from N(0, I) (Eq. 14), else from μ. Log variances
        end softly at ±10.

        Raises:
            ConfigError: If the images are not of the size that the network was built for.
        """
        code = self.encoder(prepared(image, self.image_size))
        # Under AMP the layers answer in half precision, which is too coarse for a divergence.
        mean, raw = self.mean(code).to(image.dtype), self.log_variance(code).to(image.dtype)
        log_variance = _BOUND * (raw / _BOUND).tanh()
        latent = mean + (log_variance / 2).exp() * torch.randn_like(mean) if self.training else mean
        return Reconstruction(self.decode(latent), mean, log_variance)

    def decode(self, latent: Float[Tensor, "b l"]) -> Float[Tensor, "b 3 h w"]:
        """Returns the images that latent values stand for, for example along a line through a class's mean."""
        return self.decoder(latent).to(latent.dtype)
