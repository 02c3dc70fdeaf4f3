"""What must hold of a spec's name and of what it expects of its network.

A check is a generator of problems over a `Spec` or a partial view of one.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.census import LAYERS_IN_BLOCK, census
from kresnet.documents import Problem

if TYPE_CHECKING:
    from kresnet.spec.schema import Spec

# Windows keeps these, with any extension, for devices.
_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10)
}


def name_can_be_a_folder(spec: "Spec") -> Iterator[Problem]:
    """The run folder is called by the name, on any file system."""
    name = spec.name
    if name.partition(".")[0].lower() in _DEVICES or name.endswith("."):
        yield Problem(("name",), "must be usable as a folder's name everywhere")


def layers_as_expected(spec: "Spec") -> Iterator[Problem]:
    """The depth in `expect` is that of the stages."""
    if spec.expect is None:
        return
    stages = [
        LAYERS_IN_BLOCK[stage.block] * stage.blocks
        for stage in spec.model.stages
    ]
    yield from _as_expected("layers", spec.expect.layers, [1, *stages, 1])


def parameters_as_expected(spec: "Spec") -> Iterator[Problem]:
    """The parameters in `expect` are those of the census."""
    if spec.expect is None:
        return
    parts = [  # conv1, conv2_x, conv3_x …, pool, fc
        sum(row.parameters for row in rows)
        for _, rows in itertools.groupby(
            census(spec.model).rows, key=lambda row: row.name.partition("_")[0]
        )
    ]
    del parts[-2]  # the pool has none
    yield from _as_expected("parameters", spec.expect.parameters, parts)


def _as_expected(field: str, want: int, parts: list[int]) -> Iterator[Problem]:
    stem, *stages, classifier = (f"{part:,}" for part in parts)
    if sum(parts) != want:
        yield Problem(
            ("expect", field),
            f"is {want:,}, but stem {stem} + stages {' + '.join(stages)}"
            f" + classifier {classifier} make {sum(parts):,}",
            received=False,
        )


EXPECT_CHECKS = (
    name_can_be_a_folder,
    layers_as_expected,
    parameters_as_expected,
)
