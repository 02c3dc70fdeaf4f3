"""What must hold of the counts that a spec expects of its network."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.census import LAYERS_IN_BLOCK, census
from kresnet.documents import Problem

if TYPE_CHECKING:
    from kresnet.spec.spec import Spec


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
    layers_as_expected,
    parameters_as_expected,
)
