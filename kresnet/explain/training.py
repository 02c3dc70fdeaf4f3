"""Gradient descent: batch, schedule, decay, momentum."""

from collections.abc import Iterator, Sequence

from kresnet.architecture import ModelSpec
from kresnet.explain.experiments import Experiments
from kresnet.explain.he2015 import CIFAR10
from kresnet.explain.he2016 import IDENTITY_MAPPINGS
from kresnet.explain.papers import printed_network
from kresnet.explain.point import DEVIATES, EQUAL, EQUIVALENT, Point, equal_if
from kresnet.spec import Spec

APPENDIX = "section A of arXiv:1603.05027"


def training_points(spec: Spec, paper: Experiments) -> Iterator[Point]:
    """How the weights are updated."""
    training, rate = spec.training, spec.training.learning_rate
    yield _number("batch", paper.batch, training.batch_size, " images")
    number, words = paper.iterations
    yield Point(
        "iterations",
        words,
        f"{training.iterations:,}",
        equal_if(training.iterations == number),
    )
    left_open = isinstance(paper.drops, int)
    as_printed = paper.drops in (rate.at, len(rate.at), 0)
    by_ten = (rate.start, rate.divide_by) == (paper.rate, 10)
    by_ten = by_ten and len(rate.at) > 1
    yield Point(
        "learning rate",
        paper.learning_rate,
        f"{rate.start:g}, divided by {rate.divide_by:g} at {_listed(rate.at)}"
        if rate.at
        else f"{rate.start:g} throughout",
        DEVIATES
        if not (by_ten and as_printed)
        else EQUIVALENT
        if left_open
        else EQUAL,
    )
    yield _warm_up(spec, paper)
    yield _number("momentum", 0.9, training.momentum)
    yield Point(
        "momentum, form",
        "that of its system (Caffe): v ← momentum · v + rate · gradient;"
        " w ← w - v",
        "Nesterov's: w ← w - (momentum · v + rate · gradient)"
        if training.nesterov
        else "the same: the rate is inside v",
        equal_if(not training.nesterov),
    )
    yield _number("weight decay", paper.weight_decay, training.weight_decay)
    yield Point(
        "weight decay, form",
        "that of its system (Caffe): decay · w is added to the gradient and"
        " passes through the momentum",
        "the same; printed losses are without it",
        EQUAL,
    )
    more = [
        name
        for name, decays in (
            ("batch norm's scales and offsets", training.decay_batch_norm),
            ("biases", training.decay_biases),
        )
        if decays
    ]
    yield Point(
        "weight decay, of what",
        "not stated",
        ", ".join(["kernels of convolutions and classifier", *more]),
        EQUIVALENT,
    )
    clip = training.gradient_clip
    yield Point(
        "gradient clipping",
        "none",
        "none" if clip is None else f"to a norm of {clip:g}",
        equal_if(clip is None),
    )
    yield _dropout(spec.model, paper)


def _dropout(model: ModelSpec, paper: Experiments) -> Point:
    """The point of dropout, after dense layers and in the blocks."""
    head, here = model.head, []
    after_dense = head.dropout if head else None
    if head and after_dense is not None:
        here.append(f"{after_dense:g} after each dense layer of the head")
        head = head.model_copy(update={"dropout": None})
        model = model.model_copy(update={"head": head})
    if model.draws:
        here.append("inside the network; see its fields")
    said, rate = paper.dropout
    # A network of the paper has its own in the blocks, or none.
    others = not model.draws or printed_network(model, paper) is not None
    return Point(
        "dropout",
        said,
        ", and ".join(here) or "none",
        equal_if(after_dense == rate and others),
    )


def _number(topic: str, paper: float, here: float, unit: str = "") -> Point:
    """The point of a number that the paper states."""
    form = ",d" if isinstance(paper, int) else "g"
    texts = [f"{number:{form}}{unit}" for number in (paper, here)]
    return Point(topic, texts[0], texts[1], equal_if(here == paper))


def _listed(numbers: Sequence[int]) -> str:
    """Writes numbers as "32,000 and 48,000"."""
    words = [f"{number:,}" for number in numbers]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _warm_up(spec: Spec, paper: Experiments) -> Point:
    network, warm_up = printed_network(spec.model, paper), spec.training.warm_up
    here = "none"
    if warm_up is not None and warm_up.iterations:
        here = (
            f"{warm_up.learning_rate:g} for {warm_up.iterations:,} iterations"
        )
    elif warm_up is not None:
        here = (
            f"{warm_up.learning_rate:g} until the training error of the last"
            f" {warm_up.over:,} batches is below"
            f" {warm_up.until_training_error:g} %"
        )
    published = warm_up is not None and (
        warm_up.learning_rate,
        warm_up.until_training_error,
        warm_up.iterations,
    ) == (0.01, 80, None)
    start = network[1].start if network else "none"
    if paper is IDENTITY_MAPPINGS:
        said = "0.01 for 400 iterations, for all networks"
        fixed = warm_up and (warm_up.learning_rate, warm_up.iterations)
        return Point(
            "warm-up",
            said,
            here,
            equal_if(fixed == (0.01, 400)),
            source=APPENDIX,
        )
    if start == "below 80 %":
        said = (
            "0.01 until the training error is below 80 %, about 400"
            " iterations; how it is measured is not stated"
        )
        grade = EQUIVALENT if published else DEVIATES
    elif start == "open":
        said = '"trained as described above", with or without the warm-up'
        left_open = warm_up is None or published
        grade = EQUIVALENT if left_open else DEVIATES
    else:
        said = "none"
        if paper is CIFAR10:
            said += "; described for the 110-layer residual network only"
        grade = equal_if(warm_up is None)
    return Point("warm-up", said, here, grade)
