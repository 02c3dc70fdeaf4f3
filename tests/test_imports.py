"""Imports point one way, and only a few modules know TensorFlow."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A module imports from its own part and from those before it.
ORDER = (
    "printable",
    "errors",
    "seeds",
    "files",
    "notices",
    "sealed_folder",
    "documents",
    "run_options",
    "architecture",
    "spec",
    "machine",
    "records",
    "explain",
    "difference",
    "callbacks",
    "layers",
    "network",
    "data",
    "trained",
    "weight_files",
    "importing",
    "figures",
    "instruments",
    "training",
    "exporting",
    "evaluation",
    "reporting",
    "study",
    "prediction",
    "benchmark",
    "commands",
    "cli",
    "__main__",
)

# Everything else is written in `keras.ops` and works with TensorFlow hidden.
KNOW_TENSORFLOW = {
    "kresnet/benchmark/worker.py",
    "kresnet/data/tfds.py",
    "kresnet/machine/place.py",
    "kresnet/machine/team_tensorflow.py",
    "kresnet/trained/runtimes.py",
    "kresnet/exporting/formats.py",
    "kresnet/layers/batch_normalization.py",
    "kresnet/layers/in_graph_tensorflow.py",
    "kresnet/layers/rematerialized.py",
    "kresnet/machine/facts.py",
    "kresnet/training/loop/steps_tensorflow.py",
    "kresnet/training/loop/optimizer.py",
    "kresnet/machine/surroundings.py",
}
LIGHT = {
    "errors",
    "documents",
    "run_options",
    "architecture",
    "spec",
    "explain",
    "difference",
    "commands",
    "cli",
    "__main__",
}
HEAVY = {"jax", "keras", "matplotlib", "numpy", "sklearn", "tensorflow"}
TENSORFLOW = {"tensorflow", "tensorflow_datasets", "tf2onnx"}

MODULES = sorted(
    str(file.relative_to(ROOT))
    for folder in ("kresnet", "callbacks")
    for file in (ROOT / folder).rglob("*.py")
)


def part_of(path: str) -> str | None:
    """The part of the package that a file belongs to; None for its root."""
    first, *rest = Path(path).with_suffix("").parts
    if first == "callbacks":
        return "callbacks"
    return None if rest == ["__init__"] else rest[0]


def imported(path: str) -> Iterator[str]:
    """Full names of what a file imports, wherever in it, types aside."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(path: str) -> set[str]:
    """The parts of kresnet that a file imports from."""
    names = (name.split(".") for name in imported(path))
    return {name[1] for name in names if name[0] == "kresnet" and name[1:]}


def packages_imported(path: str) -> set[str]:
    """The packages from elsewhere that a file imports."""
    tops = {name.split(".")[0] for name in imported(path)}
    return tops - set(sys.stdlib_module_names) - {"kresnet"}


@pytest.mark.parametrize("path", MODULES)
def test_imports_point_one_way(path):
    own = part_of(path)
    if own is None:
        assert parts_imported(path) == set()  # `import kresnet` is lazy
        return
    assert own in ORDER, f"say in ORDER where {own} belongs"

    allowed = set(ORDER[: ORDER.index(own) + 1])

    assert parts_imported(path) <= allowed


@pytest.mark.parametrize("path", sorted(set(MODULES) - KNOW_TENSORFLOW))
def test_tensorflow_is_known_where_it_must_be_only(path):
    assert not packages_imported(path) & TENSORFLOW


@pytest.mark.parametrize("path", MODULES)
def test_callbacks_stand_alone_and_specs_are_light(path):
    own = part_of(path)
    if own == "callbacks":
        assert parts_imported(path) <= {"callbacks"}
        assert packages_imported(path) <= {"keras", "numpy"}
    if own is None or own in LIGHT:
        assert not packages_imported(path) & HEAVY
