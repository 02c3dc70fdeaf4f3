"""What is installed, what it needs, and that CI runs what the README says."""

import ast
import fnmatch
import importlib
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {"kresnet": "", "callbacks": "callbacks", "specs": "specs"}

REQUIRED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
EXTRAS = {
    name: [Requirement(text) for text in requirements]
    for name, requirements in PROJECT["project"][
        "optional-dependencies"
    ].items()
}
EVERYTHING = REQUIRED + [r for extra in EXTRAS.values() for r in extra]


def packages_on_disk():
    """Names of packages, with the folders that hold them."""
    for file in (ROOT / "kresnet").rglob("*.py"):
        folder = file.parent.relative_to(ROOT)
        yield ".".join(folder.parts), folder
    for name in ("callbacks", "specs"):
        yield f"kresnet.{name}", Path(name)


def third_party_imports():
    """Top-level packages that the sources import, wherever in a file."""
    own = {"kresnet", *sys.stdlib_module_names}
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module]
                yield from {name.split(".")[0] for name in names} - own


def test_every_package_on_disk_is_installed():
    found = dict(packages_on_disk())

    assert sorted(SETUPTOOLS["packages"]) == sorted(found)
    for name, folder in found.items():
        assert (ROOT / folder / "__init__.py").is_file(), f"{folder} has none"
        mapped = SETUPTOOLS["package-dir"].get(name)
        assert mapped == str(folder) or name.startswith("kresnet.")
    for name in ("kresnet.callbacks", "kresnet.specs"):
        assert SETUPTOOLS["package-dir"][name] == str(found[name])


def test_every_file_that_is_no_module_is_package_data():
    for name, folder in dict(packages_on_disk()).items():
        patterns = SETUPTOOLS["package-data"].get(name, [])
        files = {
            path.name
            for path in (ROOT / folder).iterdir()
            if path.is_file() and path.suffix not in (".py", ".pyc")
        }
        matched = {f for p in patterns for f in fnmatch.filter(files, p)}
        assert files == matched
        assert bool(patterns) == bool(files), "a pattern without files"


def test_the_console_script_can_be_called():
    module, function = PROJECT["project"]["scripts"]["kresnet"].split(":")

    assert callable(getattr(importlib.import_module(module), function))


def test_importing_kresnet_imports_nothing_heavy():
    program = (
        "import sys; before = set(sys.modules); import kresnet; "
        "print(*{n.split('.')[0] for n in set(sys.modules) - before})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )

    imported = set(ran.stdout.split())
    assert imported - set(sys.stdlib_module_names) == {"kresnet"}


def test_what_is_imported_is_declared():
    """Nothing comes along by chance, as a dependency of a dependency."""
    homes = metadata.packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in REQUIRED}
    optional = {
        canonicalize_name(r.name)
        for name, extra in EXTRAS.items()
        if name != "dev"
        for r in extra
    }
    for module in set(third_party_imports()):
        # What is not installed here can only come with an extra, by its name.
        names = {canonicalize_name(n) for n in homes.get(module, [module])}
        assert names & (declared | optional), f"{module} is not declared"


@pytest.mark.parametrize("requirement", EVERYTHING, ids=str)
def test_requirements_are_ranges_from_a_known_version_on(requirement):
    assert requirement.url is None
    if requirement.name == "kresnet":  # one extra holding another
        assert requirement.extras <= set(EXTRAS)
        return
    operators = {part.operator for part in requirement.specifier}
    assert ">=" in operators
    assert operators <= {">=", "<", "!="}


@pytest.mark.parametrize("requirement", REQUIRED, ids=str)
def test_the_installed_versions_are_within_the_ranges(requirement):
    version = metadata.version(requirement.name)

    assert requirement.specifier.contains(version, prereleases=True)


def test_no_file_names_a_package_registry():
    files = [
        *ROOT.glob("*.toml"),
        *ROOT.glob("*.md"),
        *(ROOT / "results").rglob("*.md"),
        *(ROOT / ".ci").iterdir(),
    ]
    words = r"index-url|extra-index|find-links|pypi|/simple\b|\bfile://"
    for file in files:
        text = file.read_text("utf-8")
        assert not re.search(words, text, re.IGNORECASE), file
        if file.suffix != ".md":
            assert "://" not in text, file


@pytest.mark.parametrize("number", [1, 2])
def test_ci_runs_the_commands_of_the_readme_literally(number):
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    function = re.search(r"^readme_command\(\) \{.*?^\}", script, re.M | re.S)
    extracted = subprocess.run(
        ["bash", "-c", f"{function[0]}\nreadme_command {number}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    blocks = re.findall(
        r"^```sh\n(.*?)^```$",
        (ROOT / "README.md").read_text("utf-8"),
        re.M | re.S,
    )
    assert extracted == blocks[number - 1]
    assert len(extracted.splitlines()) == 1
    assert f"$(readme_command {number})" in script
