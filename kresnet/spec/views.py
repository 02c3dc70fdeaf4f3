"""How an image of any size becomes one of the network's input."""

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

Side = Annotated[Integer, Field(ge=1, le=8_192)]
# Between the most slender photos that a decoder takes.
Aspect = Annotated[Number, Field(ge=0.01, le=100)]


class TrainView(Fields):
    """A box at random: of a random scale, or of a random area and shape.

    Reference:
        He et al. 2015, section 3.4, after Simonyan, Zisserman 2014, section
        3.1: a crop of an image whose shorter side has a random length.
        Szegedy et al. 2015, section 6: a random area and aspect ratio.
    """

    shorter_side: (
        Annotated[tuple[Side, Side], Expected("a list of 2 integers, rising")]
        | None
    ) = Field(
        default=None,
        description="The shorter side of the whole image, drawn from the first"
        " to the last length, in pixels of `model.input`.",
    )
    crop: Literal["random"] | None = Field(
        default=None,
        description="The box is of the size of `model.input`, at a random place"
        " of the image so scaled.",
    )
    area: (
        Annotated[
            tuple[
                Annotated[Number, Field(gt=0, le=1)],
                Annotated[Number, Field(gt=0, le=1)],
            ],
            Expected("a list of 2 numbers above 0 and at most 1, rising"),
        ]
        | None
    ) = Field(
        default=None,
        description="The area of the box, as a share of the image's.",
    )
    aspect: (
        Annotated[
            tuple[Aspect, Aspect],
            Expected("a list of 2 numbers from 0.01 to 100, rising"),
        ]
        | None
    ) = Field(
        default=None,
        description="Width divided by height of the box in the image.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> "TrainView":
        raise_problems((_is_one_of_two, _ranges_rise), self)
        return self

    @property
    def words(self) -> str:
        """The view in words, such as "shorter side 256 to 480"."""
        if self.shorter_side:
            return "shorter side {} to {}".format(*self.shorter_side)
        return "area {:g} to {:g}, aspect {:g} to {:g}".format(
            *(self.area or ()), *(self.aspect or ())
        )


class TestView(Fields):
    """The box in the centre of an image whose shorter side has one length."""

    __test__ = False  # pytest takes its name for that of tests

    shorter_side: Side = Field(
        description="The shorter side of the whole image, in pixels of"
        " `model.input`."
    )
    crop: Literal["center"] = Field(
        description="The box is of the size of `model.input`, in the centre of"
        " the image so scaled."
    )

    @property
    def words(self) -> str:
        """The view in words."""
        return f"the centre of one image, shorter side {self.shorter_side}"


class Views(Fields):
    """The views of a training, and of everything else."""

    train: TrainView
    test: TestView


def view_problems(
    views: Views, image: tuple[int, int, int]
) -> Iterator[Problem]:
    """Yields why views cannot give images of a shape: height, width, channels.

    The paths begin in `views`.
    """
    longest = max(image[:2])
    sides: list[tuple[tuple[str | int, ...], int]] = [
        (("test", "shorter_side"), views.test.shorter_side)
    ]
    if views.train.shorter_side:
        place = ("train", "shorter_side", 0)
        sides.insert(0, (place, views.train.shorter_side[0]))
    for path, side in sides:
        if side < longest:
            yield Problem(
                path,
                f"must be at least {longest}, the longer side of model.input,"
                " or the box would not lie in the image",
            )


def _is_one_of_two(view: TrainView) -> Iterator[Problem]:
    """A view has a shorter side and a crop, or an area and an aspect."""
    given = {name for name in type(view).model_fields if getattr(view, name)}
    if given not in ({"shorter_side", "crop"}, {"area", "aspect"}):
        yield Problem(
            (),
            "must be a mapping with shorter_side and crop, or with area and"
            " aspect",
        )


def _ranges_rise(view: TrainView) -> Iterator[Problem]:
    for name in ("shorter_side", "area", "aspect"):
        pair = getattr(view, name)
        if pair and pair[1] < pair[0]:
            yield Problem(
                (name, 1), f"must be at least {pair[0]}, the number before"
            )
