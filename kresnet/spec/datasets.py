"""What is known of the data sets without loading them."""

from typing import NamedTuple


class DatasetFacts(NamedTuple):
    """A data set, to check specs against and to read images for.

    Attributes:
        title: What to call it.
        input: Height, width and channels of an image.
        class_names: In the order of the labels.
        train: Number of training images, the validation split included.
        test: Number of test images.
        white: The largest value of a pixel; black is 0.
        light_on_dark: Whether every image is a light shape on black.
    """

    title: str
    input: tuple[int, int, int]
    class_names: tuple[str, ...]
    train: int
    test: int
    white: int
    light_on_dark: bool

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


DATASETS = {
    # Krizhevsky 2009.
    "cifar10": DatasetFacts(
        title="CIFAR-10",
        input=(32, 32, 3),
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
    ),
    # scikit-learn's 1,797 scanned digits, of which 360 are for testing. Counts
    # of ink in 4 × 4 bits of a scan, hence 17 grey levels.
    "digits": DatasetFacts(
        title="the digits",
        input=(8, 8, 1),
        class_names=tuple("0123456789"),
        train=1_437,
        test=360,
        white=16,
        light_on_dark=True,
    ),
}
