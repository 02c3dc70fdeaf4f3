"""The images: data set, split, preprocessing, augmentation, order."""

from collections.abc import Iterator

from kresnet.explain.experiments import Experiments
from kresnet.explain.point import DEVIATES, EQUAL, EQUIVALENT, Point, equal_if
from kresnet.spec import Spec, TrainView
from kresnet.spec.transforms import Transform


def data_points(spec: Spec, paper: Experiments) -> Iterator[Point]:
    """What the network is shown."""
    data = spec.data
    facts = data.facts
    same = data.dataset == paper.dataset
    yield Point(
        "data set",
        paper.data_set,
        f"{data.dataset}: {facts.train:,} training and {facts.test:,} test"
        f" images of {facts.classes:,} classes"
        if facts.train and facts.test and facts.classes
        else f"{data.dataset}: images of {spec.model.classes:,} classes; their"
        " number is known once they are opened",
        equal_if(same),
    )
    left_open = same and data.validation in paper.validation
    yield Point(
        "split",
        paper.split,
        _split(facts.train, data.validation),
        EQUIVALENT if left_open else DEVIATES,
    )

    always = [_words(t) for t in data.transforms if not t.draws]
    random = [_words(t) for t in data.transforms if t.draws]
    if data.views:
        random.append(_view_words(data.views.train))
    yield Point(
        "preprocessing",
        paper.preprocessing[0],
        f"{', '.join(always)}; fitted on the training split"
        if always
        else "none",
        DEVIATES
        if always != paper.preprocessing[1]
        else EQUIVALENT
        if "not stated" in paper.preprocessing[0]
        else EQUAL,
    )
    yield Point(
        "augmentation",
        paper.augmentation[0],
        ", ".join(random) or "none",
        equal_if(sorted(random) in paper.augmentation[1]),
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


def _split(train: int | None, validation: int) -> str:
    if train is None:
        return f"all but {validation:,} to train on" if validation else "all"
    if validation:
        return (
            f"{train - validation:,} to train on, {validation:,} for validation"
        )
    return f"all {train:,} to train on"


def _view_words(view: TrainView) -> str:
    """Writes what a view draws as "shorter side 256 to 480"."""
    ranges = (
        ("shorter side", view.shorter_side),
        ("area", view.area),
        ("aspect", view.aspect),
    )
    return ", ".join(
        f"{name} {low:g} to {high:g}"
        for name, (low, high) in ((n, r) for n, r in ranges if r)
    )


def _words(transform: Transform) -> str:
    """Writes a transform as "random_crop (padding 4)"."""
    arguments = transform.model_dump(exclude={"layer"}, exclude_none=True)
    inside = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in arguments.items()
    )
    return f"{transform.layer} ({inside})" if inside else transform.layer
