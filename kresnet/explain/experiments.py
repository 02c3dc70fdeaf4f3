"""What a paper prints of its experiments: networks, recipes and errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kresnet.records.evaluation import ViewName
from kresnet.spec import Spec


@dataclass(frozen=True)
class PaperTest:
    """The errors of a network in one test.

    Attributes:
        errors: Top-1 in percent, and perhaps top-5, as printed.
        where: The table, and what is printed if it is no single run.
        view: What the network saw of an image.
        shorter_sides: The lengths that the shorter side was resized to, in
            pixels; `None` where images have one size.
        mirrored: Whether it saw mirror images too; `None` if it is not stated.
        train: The shorter side in training, from and to, in pixels, where the
            paper has several.
    """

    errors: str
    where: str
    view: ViewName = "single"
    shorter_sides: tuple[int, ...] | None = None
    mirrored: bool | None = False
    train: tuple[int, int] | None = None

    def __str__(self) -> str:
        """Writes "24.8 / 7.5 (table 4: dense)", or "8.75 (table 6)"."""
        view = "" if self.view == "single" else f": {self.view}"
        return f"{self.errors} ({self.where}{view})"


@dataclass(frozen=True)
class Printed:
    """What a paper prints of one of its networks.

    Attributes:
        size: The number that `Experiments.size` is of, as printed; empty if
            there is none.
        tests: Its errors.
        start: The warm-up: "none", "below 80 %", "400", or "open".
        spec: The shipped spec of the network, if its name is another.
        change: A field of all stages that differs from that of the spec.
    """

    size: str = ""
    tests: tuple[PaperTest, ...] = ()
    start: str = "none"
    spec: str = ""
    change: str = ""

    @property
    def single(self) -> PaperTest | None:
        """The test of one view of each image, which ends every run."""
        for test in self.tests:
            if test.view == "single" and not test.mirrored:
                return test
        return None

    def tests_of(self, spec: Spec) -> tuple[PaperTest, ...]:
        """The tests of networks that saw images of the spec's sizes."""
        views = spec.data.views
        side = views.train.shorter_side if views else None
        return tuple(t for t in self.tests if t.train in (None, side))


@dataclass(frozen=True, eq=False)
class Experiments:
    """The experiments of a paper on one data set.

    Attributes:
        title: The paper and the data set.
        source: The sections, for `Point.source`.
        dataset: The name of the data set in specs.
        networks: What is printed of each network, by its name.
        size: What is printed of their size.
        architecture: The networks, in words.
        shortcuts: Their shortcuts, in words.
        initialisation: In words, and its name in specs; "" if it has none.
        batch_norm: Where it is, in words, and the section.
        statistics: Images of a batch-norm statistic, in words.
        images_per_statistic: Their number; 0 without batch norm.
        data_set: The data set, in words.
        split: The validation split, in words.
        validation: How many images may be held out.
        preprocessing: In words, and as `explain` writes the transforms.
        augmentation: In words, and as `explain` writes the transforms, sorted;
            one of several ways.
        batch: Images of an update.
        iterations: Updates, and what the paper says of them.
        learning_rate: In words.
        rate: The learning rate that training begins with.
        drops: The iterations at which it is divided by 10, or how often; 0 if
            the paper does not say.
        weight_decay: Its factor.
        dropout: In words, and the rate after dense layers of all networks.
        evaluation: How errors are measured, in words.
        reported: Which result is reported, in words.
        machine: What it ran on.
        uniform: Whether all stages of a network have as many blocks.
    """

    title: str
    source: str
    dataset: str
    networks: Mapping[str, Printed]
    size: Literal["M parameters", "e9 multiply-adds"]
    architecture: str
    shortcuts: str
    initialisation: tuple[str, str]
    batch_norm: tuple[str, str]
    statistics: str
    images_per_statistic: int
    data_set: str
    split: str
    validation: tuple[int, ...]
    preprocessing: tuple[str, list[str]]
    augmentation: tuple[str, list[list[str]]]
    batch: int
    iterations: tuple[int, str]
    learning_rate: str
    rate: float
    drops: tuple[int, ...] | int
    weight_decay: float
    dropout: tuple[str, float | None]
    evaluation: str
    reported: str
    machine: str
    uniform: bool = False
