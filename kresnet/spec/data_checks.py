"""What must hold between the data set, the transforms and the network.

A check is a generator of problems over a `Spec` or a partial view of one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.spec.data import DATASETS
from kresnet.spec.problems import Problem, as_yaml

if TYPE_CHECKING:
    from kresnet.spec.schema import Spec

_DATASET = ("data", "dataset")
_INPUT = ("model", "input")


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


DATA_CHECKS = (
    input_fits_dataset,
    classes_fit_dataset,
    transforms_are_distinct,
    crops_show_the_image,
    validation_leaves_images,
    batch_fits_split,
)
