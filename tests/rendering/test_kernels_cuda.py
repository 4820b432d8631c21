"""The kernels' one source compiles for CUDA too, on a machine without a GPU."""

import sys

import pytest
import warp as wp

from synthreal.rendering.kernels import passes, visibility


@pytest.mark.skipif(sys.platform == "darwin", reason="Warp has no CUDA compiler on a Mac")
@pytest.mark.parametrize(
    ("module", "entries"), [(visibility, ["see_vertices", "see_faces"]), (passes, ["shade", "measure"])]
)
def test_kernels_compile_for_cuda(module, entries, tmp_path):
    wp.init()
    wp.compile_aot_module(module, arch=80, module_dir=tmp_path, use_ptx=True)
    (ptx,) = tmp_path.glob("*.ptx")
    text = ptx.read_text()
    assert all(f".entry {entry}" in text for entry in entries)
