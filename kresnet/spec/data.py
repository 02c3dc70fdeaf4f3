"""The images of a spec: data set, split and transforms."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, WrapValidator, model_validator

from kresnet.documents import Expected, Fields, Integer, Problem, raise_problems
from kresnet.spec.transforms import AnyTransform
from kresnet.spec.views import Views


class TfdsFacts(NamedTuple):
    """How TensorFlow Datasets (TFDS) prepares a data set.

    Its splits are called train and test, its features image and label.

    Attributes:
        name: TFDS's name of it.
        version: The version that is read.
        source: URL of the file that TFDS downloads first; `None` if it is read
            where it was prepared, and never downloaded.
        fingerprint: SHA-256 of the published images, labels and names, as
            `kresnet.data.Source` has it; `None` where any will do.
    """

    name: str
    version: str
    source: str | None = None
    fingerprint: str | None = None


class DatasetFacts(NamedTuple):
    """A data set, to check specs against and to read images for.

    Attributes:
        title: What to call the data set.
        input: Height, width and channels of an image; `None` where images
            have all sizes, or only the data themselves say it.
        classes: The number of classes; `None` where only the data say it.
        class_names: The names of the classes, in the order of the labels;
            empty where only the data themselves have them.
        train: The number of training images, the validation split included;
            `None` where only the data say it.
        test: The number of test images; `None` as for `train`.
        white: The largest value of a pixel; black is 0.
        light_on_dark: Whether every image is a light shape on black.
        tfds: How TFDS prepares it; `None` for one from elsewhere.
        photos: Whether it is a folder of images of all sizes, which views
            bring to one.
    """

    title: str
    input: tuple[int, int, int] | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    train: int | None = None
    test: int | None = None
    white: int = 255
    light_on_dark: bool = False
    tfds: TfdsFacts | None = None
    photos: bool = False


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
        tfds=TfdsFacts(
            name="cifar10",
            version="3.0.2",
            source="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            fingerprint="49579b15f54d217519003871ad703588f8c919b760e4980f441a59a1079a7665",
        ),
    ),
    # Krizhevsky 2009; the fine labels.
    "cifar100": DatasetFacts(
        title="CIFAR-100",
        input=(32, 32, 3),
        classes=100,
        train=50_000,
        test=10_000,
        tfds=TfdsFacts("cifar100", "3.0.2"),
    ),
    # Netzer et al. 2011, without its extra images.
    "svhn_cropped": DatasetFacts(
        title="SVHN, cropped",
        input=(32, 32, 3),
        classes=10,
        train=73_257,
        test=26_032,
        tfds=TfdsFacts("svhn_cropped", "3.1.0"),
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
        classes=1_000,
        train=1_281_167,
        test=50_000,
        photos=True,
    ),
    "folder": DatasetFacts(title="the photos", photos=True),
}
# Any other data set that TFDS has prepared.
_TFDS = re.compile(r"tfds:([a-z][a-z0-9_]*)/([0-9]+\.[0-9]+\.[0-9]+)")


def _name(value: Any, known: Any) -> str:
    if isinstance(value, str) and _TFDS.fullmatch(value):
        return value
    return known(value)


if TYPE_CHECKING:
    Name = str
else:
    Name = Annotated[
        Literal[tuple(DATASETS)],
        WrapValidator(_name),
        Expected(f"{', '.join(sorted(DATASETS))} or tfds:NAME/VERSION"),
    ]


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
        max_length=16, description="Applied in this order; each at most once."
    )
    views: Views | None = Field(
        default=None,
        description="What of an image of any size is seen; of folder and"
        " imagenet only, which need it.",
    )
    statistics: Integer = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="Training images that means and axes are measured on, in"
        " the test view, at most; without views all are.",
    )

    @property
    def facts(self) -> DatasetFacts:
        """What is known of the data set without opening it."""
        if self.dataset in DATASETS:
            return DATASETS[self.dataset]
        named = _TFDS.fullmatch(self.dataset)
        assert named  # noqa: S101, it was validated
        return DatasetFacts(self.dataset, tfds=TfdsFacts(named[1], named[2]))

    @model_validator(mode="after")
    def _agrees(self) -> "DataSpec":
        raise_problems(
            (
                _transforms_make_sense,
                _validation_leaves_images,
                _views_are_of_photos,
            ),
            self,
        )
        return self


def _validation_leaves_images(data: DataSpec) -> Iterator[Problem]:
    """Some training images must be left to train on."""
    train = data.facts.train
    if train is not None and data.validation >= train:
        yield Problem(
            ("validation",),
            f"must be below {train:,}, the training images of {data.dataset}",
            also=(("dataset",),),
        )


def _views_are_of_photos(data: DataSpec) -> Iterator[Problem]:
    """Images of one size are seen whole, all others need a view."""
    also = (("dataset",),)
    if data.facts.photos and data.views is None:
        yield Problem(
            ("views",),
            f"must say what is seen of the images of {data.dataset}, which"
            " have all sizes",
            also=also,
            received=False,
        )
    if not data.facts.photos:
        default = type(data).model_fields["statistics"].default
        for name, given in (
            ("views", data.views is not None),
            ("statistics", data.statistics != default),
        ):
            if given:
                yield Problem(
                    (name,),
                    f"must not be set: the images of {data.dataset} have one"
                    " size, are seen whole, and are all measured",
                    also=also,
                    received=False,
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
