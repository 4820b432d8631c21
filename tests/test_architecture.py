"""The house keeps its shape: layers import downward, no cycles, no catch-all modules, short files and functions."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "synthreal"
FILES = sorted(PACKAGE.rglob("*.py"))
BESIDE = sorted(file for folder in ("tests", "experiments") for file in (ROOT / folder).rglob("*.py"))
MOST_LINES = 300

LAYERS = [
    ["__init__", "errors", "batch", "checkpoints", "components", "files", "spaces"],
    ["networks", "losses", "plots", "schedules", "provenance", "rendering"],
    ["datasets"],
    ["generators", "samplers"],
    ["datamodules", "modules"],
    ["callbacks"],
    ["experiment", "preview"],
    ["studies"],
    ["cli", "__main__"],
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}
# Inside a layer these may not know each other: they meet in Batch.
STRANGERS = [{"datamodules", "modules"}, {"generators", "samplers"}]


def module_name(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def imports(file):
    """Modules of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [node.module or ""]
        yield from (name for name in names if name.split(".")[0] == "synthreal")


def part(name):
    words = name.split(".")
    return words[1] if len(words) > 1 else "__init__"


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_imports_go_downward(file):
    here = part(module_name(file))
    assert here in LAYER, f"{here} has no layer: name it in LAYERS"
    for name in imports(file):
        there = part(name)
        same = there == here
        assert same or LAYER[there] <= LAYER[here], f"{file.name} imports {name} from a layer above"
        assert not any({here, there} == pair for pair in STRANGERS), f"{here} and {there} must not know each other"


def test_no_import_cycles():
    graph = {module_name(file): set(imports(file)) for file in FILES}
    # A package's __init__ re-exports its files, which do not import it back: follow files only.
    files = {name for name in graph if (ROOT / (name.replace(".", "/") + ".py")).is_file()}

    def targets(name):
        return {t for t in graph.get(name, ()) if t in files} | {
            deeper for t in graph.get(name, ()) if t not in files for deeper in graph.get(t, ()) if deeper in files
        }

    state = {}

    def visit(name, path):
        assert state.get(name) != "open", f"cycle: {' -> '.join([*path, name])}"
        if name not in state:
            state[name] = "open"
            for target in sorted(targets(name) - {name}):
                visit(target, [*path, name])
            state[name] = "done"

    for name in sorted(files):
        visit(name, [])


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_files_and_functions_are_short_and_annotated(file):
    assert not {"utils", "util", "helpers", "common", "misc"} & set(module_name(file).split("."))
    text = file.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{node.name} has {lines} lines"
            assert node.args.kwarg is None or node.name == "instantiate_trainer", f"{node.name} takes **kwargs"


@pytest.mark.parametrize("file", BESIDE, ids=lambda file: str(file.relative_to(ROOT)))
def test_tests_and_experiments_are_short_files(file):
    lines = len(file.read_text().splitlines())
    assert lines <= MOST_LINES, f"{file.relative_to(ROOT)} has {lines} lines: split it by subject"


def test_committed_results_are_small():
    files = ROOT.glob("experiments/**/results/**/*")
    large = [str(file.relative_to(ROOT)) for file in files if file.stat().st_size > 1e6]
    assert not large, f"{large}: over 1 MB"


def test_the_layers_are_those_of_the_guide():
    drawing = (ROOT / "CONTRIBUTING.md").read_text().split("```")[3]
    rows = [set(re.split(r"  +| \| ", row.strip())) for row in drawing.splitlines() if row.strip()]
    named = [{name for name in names if not name.startswith("__")} for names in reversed(LAYERS)]
    assert len(rows) == len(named)
    assert all(names <= row for names, row in zip(named, rows, strict=True))


def test_the_layer_test_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from synthreal.studies import report\n")
    assert list(imports(bad)) == ["synthreal.studies"]
    assert LAYER["studies"] > LAYER["samplers"]
