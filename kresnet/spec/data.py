"""The images of a spec: data set, split and transforms."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from kresnet.documents import (
    Expected,
    Fields,
    Integer,
    Problem,
    raise_problems,
)
from kresnet.spec.transforms import AnyTransform
from kresnet.spec.views import Views


class TfdsFacts(NamedTuple):
    """How TensorFlow Datasets (TFDS) prepares a data set.

    Its splits are called train and test, its features image and label.

    Attributes:
        name: TFDS's name of it.
        version: The version that is read.
        source: URL of the file that TFDS downloads first.
        fingerprint: SHA-256 of the published images, labels and names, as
            `kresnet.data.Source` has it; `None` where any will do.
    """

    name: str
    version: str
    source: str
    fingerprint: str | None


class DatasetFacts(NamedTuple):
    """A data set, to check specs against and to read images for.

    Attributes:
        title: What to call the data set.
        input: Height, width and channels of an image; `None` where images
            have all sizes.
        classes: The number of classes; `None`, as for the next two, where only
            the data themselves say it.
        class_names: The names of the classes, in the order of the labels;
            empty where only the data themselves have them.
        train: The number of training images, the validation split included.
        test: The number of test images.
        white: The largest value of a pixel; black is 0.
        light_on_dark: Whether every image is a light shape on black.
        tfds: How TFDS prepares it; `None` for one from elsewhere.
    """

    title: str
    input: tuple[int, int, int] | None
    classes: int | None
    class_names: tuple[str, ...]
    train: int | None
    test: int | None
    white: int
    light_on_dark: bool
    tfds: TfdsFacts | None = None


DATASETS = {
    # Krizhevsky 2009.
    "cifar10": DatasetFacts(
        title="CIFAR-10",
        input=(32, 32, 3),
        classes=10,
        class_names=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        train=50_000,
        test=10_000,
        white=255,
        light_on_dark=False,
        tfds=TfdsFacts(
            name="cifar10",
            version="3.0.2",
            source="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            fingerprint="49579b15f54d217519003871ad703588f8c919b760e4980f441a59a1079a7665",
        ),
    ),
    # scikit-learn's 1,797 scanned digits, of which 360 are for testing. Counts
    # of ink in 4 × 4 bits of a scan, hence 17 grey levels.
    "digits": DatasetFacts(
        title="the digits",
        input=(8, 8, 1),
        classes=10,
        class_names=tuple("0123456789"),
        train=1_437,
        test=360,
        white=16,
        light_on_dark=True,
    ),
    # Russakovsky et al. 2015: ILSVRC 2012. Tests are on its validation images.
    "imagenet": DatasetFacts(
        title="ImageNet",
        input=None,
        classes=1_000,
        class_names=(),
        train=1_281_167,
        test=50_000,
        white=255,
        light_on_dark=False,
    ),
    # Anybody's photos: a folder of folders, one a class.
    "folder": DatasetFacts(
        title="the photos",
        input=None,
        classes=None,
        class_names=(),
        train=None,
        test=None,
        white=255,
        light_on_dark=False,
    ),
}
# The training images that transforms are adapted to, of all sizes.
STATISTICS = 10_000


if TYPE_CHECKING:
    Name = str
else:
    Name = Literal[tuple(DATASETS)]


class DataSpec(Fields):
    """The data set, its validation split and the transforms, in order."""

    dataset: Name = Field(description="Name of the data set.")
    validation: Integer = Field(
        ge=0,
        le=10_000_000,
        description="Training images held out for validation; may be 0.",
    )
    transforms: Annotated[
        tuple[AnyTransform, ...], Expected("a list of transforms")
    ] = Field(
        max_length=16,
        description="Applied in this order; each at most once.",
    )
    views: Views | None = Field(
        default=None,
        description="How images of all sizes become those of `model.input`;"
        " null where they have one size.",
    )
    statistics: Integer | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="Training images that transforms are adapted to. Default:"
        " all, or 10,000 of those that have all sizes.",
    )

    @property
    def adapted_images(self) -> int | None:
        """The most training images that are adapted to; `None`: all."""
        return self.statistics or (STATISTICS if self.views else None)

    @model_validator(mode="after")
    def _agrees(self) -> "DataSpec":
        raise_problems(
            (
                _transforms_make_sense,
                _validation_leaves_images,
                _views_suit_the_images,
            ),
            self,
        )
        return self


def _validation_leaves_images(data: DataSpec) -> Iterator[Problem]:
    """Some training images must be left to train on."""
    train = DATASETS[data.dataset].train
    if train is not None and data.validation >= train:
        yield Problem(
            ("validation",),
            f"must be below {train:,}, the training images of {data.dataset}",
            also=(("dataset",),),
        )


def _transforms_make_sense(data: DataSpec) -> Iterator[Problem]:
    """None stands twice, or after one that it may not follow.

    A transform twice is a mistake, and its draws would be the same.
    """
    first: dict[str, int] = {}
    for i, transform in enumerate(data.transforms):
        name, path = transform.layer, ("transforms", i)
        if name in first:
            yield Problem(
                path,
                f"must not repeat {name}, which is transforms[{first[name]}]",
            )
            continue
        first[name] = i
        for problem in transform.order_problems(data.transforms[:i]):
            yield problem.under(path)


def _views_suit_the_images(data: DataSpec) -> Iterator[Problem]:
    """Images of all sizes need views; those of one size have none."""
    has_sizes = DATASETS[data.dataset].input is None
    if has_sizes and data.views is None:
        yield Problem(
            ("views",),
            f"missing; must be a mapping with train and test: the images of"
            f" {data.dataset} have all sizes",
            received=False,
        )
    elif not has_sizes and data.views is not None:
        yield Problem(
            ("views",),
            f"must be left out: the images of {data.dataset} have one size",
            also=(("dataset",),),
            received=False,
        )
