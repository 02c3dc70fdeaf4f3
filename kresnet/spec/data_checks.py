"""What must hold between the data set, the transforms and the network.

A check is a generator of problems over a `Spec` or a partial view of one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.documents import Problem, as_yaml
from kresnet.spec.datasets import DATASETS
from kresnet.spec.transform_checks import INPUT, TRANSFORM_CHECKS

if TYPE_CHECKING:
    from kresnet.spec.schema import Spec

_DATASET = ("data", "dataset")


def input_fits_dataset(spec: "Spec") -> Iterator[Problem]:
    """The network takes the images of the data set."""
    want = DATASETS[spec.data.dataset].input
    if spec.model.input != want:
        yield Problem(
            INPUT,
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
    *TRANSFORM_CHECKS,
    validation_leaves_images,
    batch_fits_split,
)
