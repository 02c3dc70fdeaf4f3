"""The images: data set, split, preprocessing, augmentation, order."""

from collections.abc import Iterator

from kresnet.explain.point import DEVIATES, EQUIVALENT, Point, equal_if
from kresnet.spec import DATASETS, Spec
from kresnet.spec.transforms import Transform

PREPROCESSING = ["per_pixel_mean"]
AUGMENTED = ["random_crop (padding 4)", "random_flip"]


def data_points(spec: Spec) -> Iterator[Point]:
    """What the network is shown."""
    data = spec.data
    facts = DATASETS[data.dataset]
    cifar10 = data.dataset == "cifar10"
    yield Point(
        "data set",
        "CIFAR-10: 50,000 training and 10,000 test images of 10 classes",
        f"{data.dataset}: {facts.train:,} training and {facts.test:,} test"
        f" images of {facts.classes:,} classes",
        equal_if(cifar10),
    )
    yield _split(data.validation, facts.train, cifar10)

    always = [_words(t) for t in data.transforms if not t.draws]
    random = [_words(t) for t in data.transforms if t.draws]
    yield Point(
        "preprocessing",
        "the per-pixel mean subtracted",
        f"{', '.join(always)}; fitted on the training split"
        if always
        else "none",
        equal_if(always == PREPROCESSING),
    )
    yield Point(
        "augmentation",
        "4 pixels padded on each side, a random 32×32 crop of the image or of"
        " its mirror image",
        ", ".join(random) or "none",
        equal_if(sorted(random) == AUGMENTED),
    )
    names = [t.layer for t in data.transforms]
    if "random_crop" in names:
        before = names[: names.index("random_crop")]
        yield Point(
            "padding of the crop",
            "its value is not stated",
            f"zeros after {', '.join(before)}"
            if before
            else "zeros before any other transform: black",
            EQUIVALENT,
        )
    yield Point(
        "order of the images",
        "not stated",
        "a permutation every epoch; batches run through its end",
        EQUIVALENT,
    )


def _split(validation: int, train: int, cifar10: bool) -> Point:
    here = f"{train - validation:,} to train on, {validation:,} for validation"
    if not validation:
        here = f"all {train:,} to train on"
    open_choice = cifar10 and validation in (0, 5_000)
    return Point(
        "split",
        "the schedule was chosen on 45,000 images for training and 5,000 for"
        " validation; whether the networks of table 6 saw 45,000 or 50,000 is"
        " not stated",
        here,
        EQUIVALENT if open_choice else DEVIATES,
    )


def _words(transform: Transform) -> str:
    """Writes a transform as "random_crop (padding 4)"."""
    arguments = transform.model_dump(exclude={"layer"})
    inside = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in arguments.items()
    )
    return f"{transform.layer} ({inside})" if inside else transform.layer
