"""Data modules that show their test images, or cannot."""

from lightning.pytorch import LightningDataModule


class Shown(LightningDataModule):
    """Test images whose grey value is their number."""

    classes = ("ash", "birch", "cedar")
    asked = []  # noqa: RUF012 what was asked for, by whichever object

    def setup(self, stage=None):
        self.stage = stage

    def test_images(self, name, index):
        self.asked.append((self.stage, name, index.tolist()))
        return (index / 255).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)


class Hidden(LightningDataModule):
    """Cannot show its test images."""

    classes = ("ash", "birch", "cedar")
