"""Maps of a GM-CML network's descriptors."""

import warnings

import numpy as np
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from sklearn.decomposition import PCA, FastICA
from sklearn.exceptions import ConvergenceWarning

from synthreal.callbacks.gallery import foreground_run, recognise_gallery
from synthreal.callbacks.records import kept_folder, log_figure
from synthreal.plots import descriptor_maps

_AXES = 2  # of a map


class DescriptorMaps(Callback):
    """Draws the gallery's descriptors in two dimensions (GM-CML, Fig. 11 and 13), after training and after a test.

    The figure `descriptors` goes to the run's folder and to every logger that takes images: PCA on the left, ICA on the
    right, coloured by class; below that by azimuth, or by tilt if all azimuths are the same, where views differ.

    Raises:
        ConfigError: If the module is no GMCML or the datamodule no ForegroundDataModule.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Checks module and datamodule."""
        foreground_run(self, trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the figure."""
        self._draw(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the figure."""
        self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = kept_folder(trainer)
        if folder is None:
            return
        module, data = foreground_run(self, trainer, pl_module)
        gallery = recognise_gallery(trainer, module, data)
        descriptor = gallery.descriptor.double().cpu().numpy()
        if not _spans_a_plane(descriptor):
            rank_zero_warn("The gallery's descriptors do not differ along two axes: there is no map of them.")
            return
        angle = None if gallery.viewpoint is None else _varied_angle(gallery.viewpoint.cpu().numpy())
        figure = descriptor_maps(projections(descriptor), gallery.label.cpu().numpy(), data.classes, angle)
        log_figure(figure, "descriptors", folder, trainer.loggers)


def projections(descriptor: Float[np.ndarray, "n d"]) -> dict[str, Float[np.ndarray, "n 2"]]:
    """Returns descriptors in the plane of their two largest principal components, and of two independent ones.

    Args:
        descriptor: At least three images, which differ along at least two axes.

    Returns:
        A title → places. The second title tells if FastICA did not converge; its last iterate is returned then.
    """
    pca = PCA(_AXES, random_state=0)
    principal = pca.fit_transform(descriptor)
    with warnings.catch_warnings(record=True) as told:  # the title says it
        warnings.simplefilter("always")
        independent = FastICA(_AXES, whiten="unit-variance", random_state=0).fit_transform(descriptor)
    stopped = any(issubclass(warning.category, ConvergenceWarning) for warning in told)
    share = 100 * pca.explained_variance_ratio_.sum()
    return {f"PCA, {share:.0f} % of the variance": principal, f"ICA{', not converged' * stopped}": independent}


def _spans_a_plane(descriptor: Float[np.ndarray, "n d"]) -> bool:
    """Says whether there is anything to draw: not if a network has collapsed, or its weights are no longer numbers."""
    if not np.isfinite(descriptor).all():
        return False
    return bool(np.linalg.matrix_rank(descriptor - descriptor.mean(0)) >= _AXES)


def _varied_angle(viewpoint: Float[np.ndarray, "n 3"]) -> tuple[str, Float[np.ndarray, " n"]] | None:
    for name, column in (("azimuth", 0), ("tilt", 2)):
        if np.ptp(viewpoint[:, column]) > 0:
            return name, viewpoint[:, column]
    return None
