"""What must hold between the parts of a spec.

A check is a generator of problems over a `Spec` or a partial view of one.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.census import LAYERS_IN_BLOCK, census
from kresnet.spec.data import DATASETS
from kresnet.spec.problems import Problem, as_yaml

if TYPE_CHECKING:
    from kresnet.spec.schema import Spec

# Windows keeps these, with any extension, for devices.
_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10)
}

_AT = ("training", "learning_rate", "at")
_DATASET = ("data", "dataset")
_INPUT = ("model", "input")
_ITERATIONS = ("training", "iterations")
_STATISTIC = ("model", "batch_norm", "images_per_statistic")
_WEIGHT_DECAY = ("training", "weight_decay")


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


def input_fits_dataset(spec: "Spec") -> Iterator[Problem]:
    """The network takes the images of the data set."""
    want = DATASETS[spec.data.dataset].input
    if spec.model.input != want:
        yield Problem(
            _INPUT,
            f"must be {as_yaml(want)}, the images of {spec.data.dataset}",
            also=(_DATASET,),
        )


def classes_fit_dataset(spec: "Spec") -> Iterator[Problem]:
    """The network tells as many classes apart as the data set has."""
    want = DATASETS[spec.data.dataset].classes
    if spec.model.classes != want:
        yield Problem(
            ("model", "classes"),
            f"must be {want}, the classes of {spec.data.dataset}",
            also=(_DATASET,),
        )


def transforms_are_distinct(spec: "Spec") -> Iterator[Problem]:
    """A transform twice is a mistake, and its draws would be the same."""
    first: dict[str, int] = {}
    for i, transform in enumerate(spec.data.transforms):
        name = transform.layer
        if name in first:
            yield Problem(
                ("data", "transforms", i),
                f"must not repeat {name}, which is transforms[{first[name]}]",
            )
        first.setdefault(name, i)


def crops_show_the_image(spec: "Spec") -> Iterator[Problem]:
    """A crop that is all padding shows nothing."""
    for i, transform in enumerate(spec.data.transforms):
        if transform.layer != "random_crop":
            continue
        side = min(spec.model.input[:2])
        if transform.padding >= side:
            yield Problem(
                ("data", "transforms", i, "padding"),
                f"must be below {side}, the shorter side of the input, or a"
                " crop could be all padding",
                also=(_INPUT,),
            )


def validation_leaves_images(spec: "Spec") -> Iterator[Problem]:
    """Some training images must be left to train on."""
    dataset, validation = spec.data.dataset, spec.data.validation
    train = DATASETS[dataset].train
    if validation >= train:
        yield Problem(
            ("data", "validation"),
            f"must be below {train:,}, the training images of {dataset}",
            also=(_DATASET,),
        )


def batch_fits_split(spec: "Spec") -> Iterator[Problem]:
    """A batch holds no image twice."""
    dataset, validation = spec.data.dataset, spec.data.validation
    left = DATASETS[dataset].train - validation
    if 0 < left < spec.training.batch_size:
        yield Problem(
            ("training", "batch_size"),
            f"must be at most {left:,}, the training images of {dataset} that"
            " validation leaves",
            also=(_DATASET, ("data", "validation")),
        )


def statistics_divide_batch(spec: "Spec") -> Iterator[Problem]:
    """A batch is a whole number of batch-norm groups."""
    group = spec.model.batch_norm.images_per_statistic
    batch = spec.training.batch_size
    if group is not None and batch % group:
        below = batch - batch % group
        nearest = f"{below} or {below + group}" if below else f"{group}"
        yield Problem(
            ("training", "batch_size"),
            f"must be a multiple of model.batch_norm.images_per_statistic,"
            f" {group}; nearest: {nearest}",
            also=(_STATISTIC,),
        )


def drops_rise(spec: "Spec") -> Iterator[Problem]:
    """The learning rate falls at one iteration after the other."""
    at = spec.training.learning_rate.at
    for i, (before, after) in enumerate(itertools.pairwise(at), start=1):
        if after <= before:
            yield Problem((*_AT, i), f"must be above {before}, the one before")


def drops_come_in_time(spec: "Spec") -> Iterator[Problem]:
    """A drop after the last iteration would never happen."""
    iterations = spec.training.iterations
    for i, drop in enumerate(spec.training.learning_rate.at):
        if drop >= iterations:
            yield Problem(
                (*_AT, i),
                f"must be below training.iterations, {iterations}",
                also=(_ITERATIONS,),
            )


def warm_up_can_end(spec: "Spec") -> Iterator[Problem]:
    """The window fits below the limit, and the limit into the run."""
    warm_up = spec.training.warm_up
    if warm_up is None:
        return
    path = ("training", "warm_up", "limit")
    if warm_up.limit < warm_up.over:
        yield Problem(
            path,
            f"must be at least {warm_up.over}, the batches of `over`, or the"
            " warm-up could not end",
            also=((*path[:-1], "over"),),
        )
    if warm_up.limit > spec.training.iterations:
        yield Problem(
            path,
            f"must be at most training.iterations, {spec.training.iterations},"
            " or it would never apply",
            also=(_ITERATIONS,),
        )


def decay_is_decided_by_its_rate(spec: "Spec") -> Iterator[Problem]:
    """Fields that say what is decayed would be ignored without decay."""
    training = spec.training
    if training.weight_decay != 0:
        return
    for field in ("decay_batch_norm", "decay_biases"):
        if getattr(training, field):
            yield Problem(
                ("training", field),
                "must be false or left out: training.weight_decay is 0, so"
                " nothing is decayed",
                also=(_WEIGHT_DECAY,),
            )


RECIPE_CHECKS = (
    name_can_be_a_folder,
    layers_as_expected,
    parameters_as_expected,
    input_fits_dataset,
    classes_fit_dataset,
    transforms_are_distinct,
    crops_show_the_image,
    validation_leaves_images,
    batch_fits_split,
    statistics_divide_batch,
    drops_rise,
    drops_come_in_time,
    warm_up_can_end,
    decay_is_decided_by_its_rate,
)
