"""Data sets on disk that several test files read and none changes."""

import pytest

from tests.datasets.cifar_da_parts import PEOPLE, write_cifar
from tests.datasets.rendered_parts import write


@pytest.fixture(scope="session")
def small_cifar(tmp_path_factory):
    """14 training and 22 test images of each class of `MIXED` and of three more."""
    root = tmp_path_factory.mktemp("small")
    return root, write_cifar(root, ["automobile", "truck"], ["bus", "bicycle", *PEOPLE], 14, 22)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """The same rendered data set in both layouts."""
    root = tmp_path_factory.mktemp("rendered")
    for layout in ("folders", "shards"):
        write(root / layout, layout=layout)
    return root
