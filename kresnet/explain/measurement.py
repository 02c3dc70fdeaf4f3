"""How a trained network is measured, the same for every spec."""

from collections.abc import Iterator

from kresnet.explain.point import DEVIATES, EQUAL, EQUIVALENT, Point


def measurement_points() -> Iterator[Point]:
    """What a reported test error is."""
    yield Point(
        "evaluation",
        "the single view of the original 32×32 test image",
        "section 4.2",
        "one whole image, not augmented",
        EQUAL,
    )
    yield Point(
        "batch norm, statistics in testing",
        "not in the paper; in the authors' release notes: averages over a"
        " large training batch, taken after training",
        "release notes",
        "moving averages of training; `kresnet evaluate RUN --batch-norm"
        " re-estimated` takes them as the authors did",
        DEVIATES,
        caveat=True,
    )
    yield Point(
        "which result is reported",
        "ResNet-110: the best and mean ± standard deviation of 5 runs; others:"
        " one run, at an iteration that is not stated",
        "section 4.2, table 6",
        "the last iteration; the best by validation is kept apart",
        EQUIVALENT,
    )
