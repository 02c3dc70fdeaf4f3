"""What SECURITY.md promises of the code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    file
    for part in ("kresnet", "callbacks")
    for file in (ROOT / part).rglob("*.py")
)
# Modules that run what is in a file, or unpack what is in an archive.
MODULES = {
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "pickle",
    "shelve",
    "tarfile",
    "zipfile",
}
CALLS = {
    "__import__",
    "compile",
    "eval",
    "exec",
    "extractall",
    "unpack_archive",
}
UNSAFE_OF_YAML = {
    "full_load",
    "full_load_all",
    "load",
    "load_all",
    "unsafe_load",
    "unsafe_load_all",
}
# It reads entries that are not compressed, and unpacks none.
READS_ENTRIES = {"kresnet/weight_files/torch_file.py": ["zipfile"]}
# What may not be imported by itself: its calls would not be found.
UNSAFE_NAMES = {
    "yaml": UNSAFE_OF_YAML,
    "numpy": {"load"},
    "keras": {"load_model"},
    "tensorflow": {"load_model"},
}
# The names under which calls are looked for.
KNOWN_AS = {"yaml": {"yaml"}, "numpy": {"np", "numpy"}}
# Methods of the same name that are another thing.
COMPILES_A_MODEL = {"self.model", "super()", "model", "re", "torch"}


def offences(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                {alias.name.split(".")[0] for alias in node.names} & MODULES
            )
            yield from _renamed(node)
        elif isinstance(node, ast.ImportFrom):
            package = (node.module or "").split(".")[0]
            names = {alias.name for alias in node.names}
            yield from {package} & MODULES
            yield from names & (CALLS | UNSAFE_NAMES.get(package, set()))
        elif isinstance(node, ast.Call):
            yield from _calls(node)


def _renamed(node):
    """Under another name their calls would not be found."""
    for alias in node.names:
        name = alias.asname or alias.name
        if name not in KNOWN_AS.get(alias.name.split(".")[0], {name}):
            yield f"{alias.name} as {name}"


def _calls(node):
    called = ast.unparse(node.func)
    owner, _, name = called.rpartition(".")
    if name in CALLS and owner not in COMPILES_A_MODEL:
        yield called
    if owner == "yaml" and name in UNSAFE_OF_YAML:
        yield called
    if name == "load" and owner in ("np", "numpy"):
        allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
        if not allowed or ast.unparse(allowed[0]) != "False":
            yield f"{called} that may unpickle"
    if name == "load_model":
        yield called
    for keyword in node.keywords:
        if keyword.arg == "shell" and ast.unparse(keyword.value) != "False":
            yield f"{called} through a shell"


@pytest.mark.parametrize(
    "path", SOURCES, ids=[str(p.relative_to(ROOT)) for p in SOURCES]
)
def test_no_file_is_a_program(path):
    allowed = READS_ENTRIES.get(str(path.relative_to(ROOT)), [])

    assert list(offences(ast.parse(path.read_text("utf-8")))) == allowed


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from zipfile import ZipFile",
        "eval('1')",
        "yaml.load(text)",
        "from yaml import load",
        "from yaml import unsafe_load",
        "from yaml import load as safe_load",
        "import yaml as y",
        "from numpy import load",
        "from numpy.lib.npyio import load",
        "import numpy as n",
        "from keras.saving import load_model as load",
        "from shutil import unpack_archive as unpack",
        "from builtins import eval as value_of",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "archive.extractall()",
        "keras.saving.load_model(path)",
        "subprocess.run('ls', shell=True)",
    ],
)
def test_the_check_finds_what_it_looks_for(code):
    assert list(offences(ast.parse(code)))


def test_numpy_s_loader_is_used_without_pickle():
    assert not list(offences(ast.parse("np.load(path, allow_pickle=False)")))
