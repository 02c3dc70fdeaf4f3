"""Max pooling."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from kresnet.architecture.parts import Place, Placed
from kresnet.documents import Fields, Integer, Path, Problem, raise_problems


class Pool(Fields):
    """The largest value of each window; maps come out `stride` times smaller.

    Padding is never the maximum.

    Reference:
        He et al. 2015, table 1 (3×3, stride 2); Simonyan, Zisserman 2014,
        section 2.1 (2×2, stride 2).
    """

    kernel: Integer = Field(
        ge=2, le=7, description="Side of the square window, in pixels."
    )
    stride: Integer = Field(
        ge=1, le=7, description="Distance of the windows, in pixels."
    )
    padding: Literal["end", "even"] | None = Field(
        default=None,
        description="Where windows larger than the stride hang over. end: at"
        " the end alone, as in Caffe (the authors' nets). even: half a window"
        " on each side, as in Torch. null where none hangs over.",
    )

    @model_validator(mode="after")
    def _fields_fit(self) -> "Pool":
        raise_problems((_windows_cover_the_map,), self)
        return self

    def at(self, name: str, field: Path) -> Placed:
        """The place of this pool in a walk, and what stands there."""
        kind = f"max {self.kernel}×{self.kernel}"
        place = Place(name, kind, field, self.stride)
        padding = self.padding or "end"  # which is none where none is needed
        return place, lambda x, parts: parts.max_pool(
            x, self.kernel, self.stride, padding
        )


def _windows_cover_the_map(pool: Pool) -> Iterator[Problem]:
    """Every pixel is in a window, and padding is named exactly if needed."""
    if pool.stride > pool.kernel:
        yield Problem(
            ("stride",),
            f"must be at most {pool.kernel}, the kernel, or pixels between the"
            " windows would be ignored",
            also=(("kernel",),),
        )
    elif pool.stride == pool.kernel:
        if pool.padding is not None:
            yield Problem(
                ("padding",),
                "must be left out: windows as large as the stride need none",
                also=(("kernel",), ("stride",)),
            )
    elif pool.padding is None:
        yield Problem(
            ("padding",),
            "missing; must be end or even, since windows larger than the"
            " stride hang over",
            also=(("kernel",), ("stride",)),
            received=False,
        )
    elif pool.padding == "even" and pool.kernel % 2 == 0:
        yield Problem(
            ("kernel",),
            "must be odd where padding is even",
            also=(("padding",),),
        )
