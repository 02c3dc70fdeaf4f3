"""What must hold of a spec's name and of what it expects of its network.

A check is a generator of problems over a `Spec` or a partial view of one.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.architecture import census
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


def counts_as_expected(spec: "Spec") -> Iterator[Problem]:
    """Depth and parameters in `expect` are those of the census."""
    if spec.expect is None:
        return
    rows = census(spec.model).rows
    for field, want in spec.expect:
        parts = [  # conv1, conv2_x, conv3_x …, pool, fc
            sum(getattr(row, field) for row in part)
            for _, part in itertools.groupby(
                rows, key=lambda row: row.name.partition("_")[0]
            )
        ]
        del parts[-2]  # the pool has none
        yield from _as_expected(field, want, parts)


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
    counts_as_expected,
)
