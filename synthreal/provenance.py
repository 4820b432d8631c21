"""What a result depends on besides its config: versions, commit, data."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import synthreal

_PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "kornia", "numpy", "scipy", "scikit-learn")


def git_state() -> dict[str, Any]:
    """Returns the commit of synthreal's own checkout and whether files differ from it; empty if it is installed."""
    here = Path(synthreal.__file__).parent

    def git(*words: str) -> str:
        """What a git command prints in synthreal's own folder."""
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        tracked = git("ls-files", "--error-unmatch", "__init__.py")
        return {"commit": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain"))} if tracked else {}
    except (OSError, subprocess.CalledProcessError):
        return {}


def provenance(datamodule: object) -> dict[str, Any]:
    """Returns versions of Python and packages, git state, and the data's fingerprint if the datamodule gives one."""
    fingerprint = getattr(datamodule, "fingerprint", dict)
    return {
        "synthreal": synthreal.__version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "git": git_state(),
        "data_sha256": fingerprint(),
    }
