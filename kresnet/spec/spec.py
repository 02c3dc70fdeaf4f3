"""A whole spec, and its JSON schema."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field, create_model, model_validator

from kresnet.architecture import ModelSpec, StageFields, census, model_class
from kresnet.documents import (
    Expected,
    Fields,
    Integer,
    Problem,
    as_yaml,
    raise_problems,
)
from kresnet.spec.data import DataSpec
from kresnet.spec.training import TrainingSpec

# Windows keeps these, with any extension, for devices.
_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10)
}


class Expect(Fields):
    """Counts that the network must have, checked before it is built."""

    layers: Integer = Field(
        ge=1,
        le=1_000_000,
        description="Weighted layers, 6n+2 on CIFAR-10; no projections.",
    )
    parameters: Integer = Field(
        ge=1, le=10**12, description="Trainable parameters."
    )


class Spec(Fields):
    """One experiment: a network, its data and its training.

    A spec means the same on every machine: it names no device and no path.

    Raises:
        pydantic.ValidationError: If a field is wrong or two disagree.
    """

    name: Annotated[
        str,
        Expected(
            "1 to 64 letters, digits, dots, dashes or underscores that start"
            " with a letter or digit"
        ),
    ] = Field(
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Names the run folder.",
    )
    expect: Expect | None = None
    model: ModelSpec
    data: DataSpec
    training: TrainingSpec

    @model_validator(mode="after")
    def _parts_agree(self) -> "Spec":
        raise_problems(_CHECKS, self)
        return self


@functools.cache
def spec_class(stages: tuple[type[StageFields], ...] = ()) -> type[Spec]:
    """The class of specs whose networks may also have stages of one's own.

    Raises:
        ValueError: One is no kind of stage, or its name is taken.
    """
    if not stages:
        return Spec
    return create_model("Spec", __base__=Spec, model=(model_class(stages), ...))


def json_schema() -> dict:
    """Returns the JSON schema of a spec, for editors that check YAML."""
    schema = Spec.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "kresnet spec",
    }


def _name_can_be_a_folder(spec: Spec) -> Iterator[Problem]:
    """The run folder is called by the name, on any file system."""
    if not can_be_a_folder(spec.name):
        yield Problem(("name",), "must be usable as a folder's name everywhere")


def can_be_a_folder(name: str) -> bool:
    """Whether any file system takes a name of letters, digits and dots."""
    device = name.partition(".")[0].lower() in _DEVICES
    return not device and not name.endswith(".")


def _network_fits_data_set(spec: Spec) -> Iterator[Problem]:
    """The network takes the images of the data set and tells its classes."""
    name = spec.data.dataset
    facts = spec.data.facts
    for field, want, what in (
        ("input", facts.input, "images"),
        ("classes", facts.classes, "classes"),
    ):
        if want is not None and getattr(spec.model, field) != want:
            yield Problem(
                ("model", field),
                f"must be {as_yaml(want)}, the {what} of {name}",
                also=(("data", "dataset"),),
            )
    if facts.photos and spec.model.input[2] not in (1, 3):
        yield Problem(
            ("model", "input", 2),
            "must be 3 channels of a photo, red, green and blue, or 1, grey",
            also=(("data", "dataset"),),
        )


def _transforms_take_the_images(spec: Spec) -> Iterator[Problem]:
    for i, transform in enumerate(spec.data.transforms):
        for problem in transform.image_problems(spec.model.input):
            here = problem.under(("data", "transforms", i))
            yield replace(here, also=(("model", "input"),))
    if spec.data.views:
        for problem in spec.data.views.image_problems(spec.model.input):
            here = problem.under(("data", "views"))
            yield replace(here, also=(("model", "input"),))


def _batch_fits_split(spec: Spec) -> Iterator[Problem]:
    """A batch holds no image twice."""
    data = spec.data
    if data.facts.train is None:  # checked when the data are opened
        return
    left = data.facts.train - data.validation
    if left < spec.training.batch_size:
        yield Problem(
            ("training", "batch_size"),
            f"must be at most {left:,}, the training images of {data.dataset}"
            " that validation leaves",
            also=(("data", "dataset"), ("data", "validation")),
        )


def _statistics_divide_batch(spec: Spec) -> Iterator[Problem]:
    """A batch is a whole number of batch-norm groups."""
    group = spec.model.images_per_statistic
    batch = spec.training.batch_size
    if group is not None and batch % group:
        below = batch - batch % group
        nearest = f"{below} or {below + group}" if below else f"{group}"
        yield Problem(
            ("training", "batch_size"),
            f"must be a multiple of model.batch_norm.images_per_statistic,"
            f" {group}; nearest: {nearest}",
            also=(("model", "batch_norm", "images_per_statistic"),),
        )


def _trained_layers_are_there(spec: Spec) -> Iterator[Problem]:
    """What is trained is named as `kresnet show` names it."""
    if spec.training.trained is None:
        return
    places = [r.place for r in census(spec.model).rows if r.weighted]
    groups = list(dict.fromkeys(place.group for place in places))
    names = {place.name for place in places} | {*groups}
    for i, name in enumerate(spec.training.trained):
        if name not in names:
            yield Problem(
                ("training", "trained", i),
                "must be a layer with weights, as `kresnet show` names them, or"
                f" one of {', '.join(groups)}",
                also=(("model", "stages"),),
            )


def _counts_as_expected(spec: Spec) -> Iterator[Problem]:
    """Depth and parameters in `expect` are those of the census."""
    if spec.expect is None:
        return
    rows = census(spec.model).rows
    for field, want in spec.expect:
        counts = [
            (stage, sum(getattr(row, field) for row in part))
            for stage, part in itertools.groupby(
                rows, key=lambda row: row.place.stage
            )
        ]
        total = sum(count for _, count in counts)
        if total != want:
            stages = [f"{n:,}" for stage, n in counts if stage is not None]
            stem = f"stem {counts[0][1]:,} + " if counts[0][0] is None else ""
            yield Problem(
                ("expect", field),
                f"is {want:,}, but {stem}stages {' + '.join(stages)}"
                f" + classifier {counts[-1][1]:,} make {total:,}",
                received=False,
            )


_CHECKS = (
    _name_can_be_a_folder,
    _network_fits_data_set,
    _transforms_take_the_images,
    _batch_fits_split,
    _statistics_divide_batch,
    _trained_layers_are_there,
    _counts_as_expected,
)
