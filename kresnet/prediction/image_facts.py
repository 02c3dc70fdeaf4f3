"""What the pixels of a data set mean; predicting needs no data set."""

from typing import NamedTuple


class ImageFacts(NamedTuple):
    """How an image becomes pixels like those a network was trained on.

    Attributes:
        white: The largest value of a pixel; black is 0.
        light_on_dark: Whether every image is a light shape on black.
        class_names: In the order of the labels.
    """

    white: int
    light_on_dark: bool
    class_names: tuple[str, ...]


_CIFAR10 = (
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
)
IMAGE_FACTS = {
    "cifar10": ImageFacts(255, False, _CIFAR10),
    # Counts of ink in 4 × 4 bits of a scan, hence 17 grey levels.
    "digits": ImageFacts(16, True, tuple("0123456789")),
}
