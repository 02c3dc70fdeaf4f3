"""How an image of any size becomes the pixels of `model.input`."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kresnet.documents import (
    Expected,
    Fields,
    Integer,
    Number,
    Problem,
    raise_problems,
)

Side = Annotated[Integer, Field(ge=1, le=16_384)]
Share = Annotated[Number, Field(gt=0, le=1)]
Ratio = Annotated[Number, Field(gt=0, le=100)]
Sides = Annotated[tuple[Side, Side], Expected("a list of 2 integers, rising")]
Shares = Annotated[
    tuple[Share, Share],
    Expected("a list of 2 numbers above 0 and up to 1, rising"),
]
Ratios = Annotated[
    tuple[Ratio, Ratio],
    Expected("a list of 2 numbers above 0 and up to 100, rising"),
]


class TrainView(Fields):
    """What of an image is seen in training, drawn anew each time.

    Either the shorter side is resized to a random length and a crop is taken
    at a random place, or a box of random area and aspect is taken.

    Reference:
        He et al. 2015, section 3.4: 256 to 480. Simonyan, Zisserman 2014,
        section 3.1: 256 to 512. Szegedy et al. 2015, section 6: an area of 8
        to 100 %, an aspect of 3/4 to 4/3.
    """

    shorter_side: Sides | None = Field(
        default=None,
        description="Range of lengths that the shorter side is resized to.",
    )
    crop: Literal["random"] | None = Field(
        default=None, description="Where a crop of `model.input` is taken."
    )
    area: Shares | None = Field(
        default=None, description="Range of the share of the image's area."
    )
    aspect: Ratios | None = Field(
        default=None, description="Range of width divided by height."
    )

    @model_validator(mode="after")
    def _agrees(self) -> "TrainView":
        raise_problems((_is_one_kind, _ranges_rise), self)
        return self


class TestView(Fields):
    """What of an image is seen outside training: the crop in the centre."""

    __test__ = False  # of pytest

    shorter_side: Side = Field(
        description="Length that the shorter side is resized to."
    )
    crop: Literal["center"] = Field(
        description="Where a crop of `model.input` is taken."
    )


class Views(Fields):
    """What of an image of any size is seen in training and in tests."""

    train: TrainView
    test: TestView

    def image_problems(self, image: tuple[int, int, int]) -> Iterator[Problem]:
        """Yields why a view cannot give images of a shape."""
        side = max(image[:2])
        trained = self.train.shorter_side
        for view, least in (
            ("train", trained[0] if trained else side),
            ("test", self.test.shorter_side),
        ):
            if least < side:
                yield Problem(
                    (view, "shorter_side"),
                    f"must be at least {side}, the longer side of the input",
                )


def _is_one_kind(view: TrainView) -> Iterator[Problem]:
    kinds = [("shorter_side", "crop"), ("area", "aspect")]
    given = {name for name, value in view if value is not None}
    if given not in [set(kind) for kind in kinds]:
        yield Problem(
            (), "must have either shorter_side and crop, or area and aspect"
        )


def _ranges_rise(view: TrainView) -> Iterator[Problem]:
    for name, value in view:
        if isinstance(value, tuple) and value[0] > value[1]:
            yield Problem((name,), "must be rising")
