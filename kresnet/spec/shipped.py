"""The specs and studies that come with the package."""

import dataclasses
import re
from importlib import resources
from importlib.resources.abc import Traversable


@dataclasses.dataclass(frozen=True)
class Shipped:
    """Files of one kind that come with the package.

    Attributes:
        kind: "spec" or "study".
        folder: Below the package of the specs; "" for itself.
        listing: Says how a user gets their names.
    """

    kind: str
    folder: str
    listing: str

    def names(self) -> list[str]:
        """Names in natural order, `resnet20` before `resnet110`."""
        names = [
            file.name.removesuffix(".yaml")
            for file in self._folder().iterdir()
            if file.name.endswith(".yaml")
        ]
        return sorted(names, key=_natural)

    def file(self, name: str) -> Traversable:
        """The file of a name, which need not exist."""
        return self._folder() / f"{name}.yaml"

    def _folder(self) -> Traversable:
        return resources.files("kresnet.specs") / self.folder


SPECS = Shipped("spec", "", "`kresnet specs` lists them")
STUDIES = Shipped("study", "studies", "`kresnet specs --studies` lists them")


def shipped_specs() -> list[str]:
    """Returns the names of the shipped specs."""
    return SPECS.names()


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts digits by their value."""
    return [
        (int(part), "") if part.isdigit() else (0, part)
        for part in re.split(r"(\d+)", name)
    ]
