"""The specs that come with the package."""

import re
from importlib import resources
from importlib.resources.abc import Traversable


def shipped_specs() -> list[str]:
    """Returns the names of the shipped specs, `resnet20` before `resnet110`."""
    names = [
        file.name.removesuffix(".yaml")
        for file in resources.files("kresnet.specs").iterdir()
        if file.name.endswith(".yaml")
    ]
    return sorted(names, key=_natural)


def shipped_file(name: str) -> Traversable:
    """Returns the file of a shipped spec, which need not exist."""
    return resources.files("kresnet.specs") / f"{name}.yaml"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts digits by their value."""
    return [
        (int(part), "") if part.isdigit() else (0, part)
        for part in re.split(r"(\d+)", name)
    ]
