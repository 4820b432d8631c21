"""Every notebook runs, with small values in the cell that is tagged for them, and is kept without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALL = {
    "gmcml.ipynb": "steps = 4\nsize = 300",
    "mixing.ipynb": "steps = 5\nseeds = [0, 1]\nreal_per_class = 2",
    "mrgan.ipynb": "iterations = 1\npretrain = 2",
    "rendering.ipynb": "image_size = 32\nviews = 3",
    "sampleahead.ipynb": "steps = 20\nbeta = 5.0",
}
PICTURES = {"gmcml.ipynb": 5, "mixing.ipynb": 2, "mrgan.ipynb": 2, "rendering.ipynb": 3, "sampleahead.ipynb": 3}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    names = {line.split(" = ")[0] for line in parameters.source.splitlines() if " = " in line}
    assert names == {line.split(" = ")[0] for line in SMALL[path.name].splitlines()}
    parameters.source = SMALL[path.name]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == PICTURES[path.name]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped(path):
    cells = nbformat.read(path, as_version=4).cells
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_readme_lists_it(path):
    assert f"(notebooks/{path.name})" in (ROOT / "README.md").read_text()
