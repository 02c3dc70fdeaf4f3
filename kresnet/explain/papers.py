"""What two papers say of their experiments: networks, recipes and errors."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kresnet.architecture import ModelSpec
from kresnet.spec import DATASETS, Spec, load_spec


@dataclass(frozen=True)
class Printed:
    """What a paper prints of one of its networks.

    Attributes:
        size: Millions of parameters on CIFAR-10, or 1e9 multiply-adds on
            ImageNet, as printed; empty if not.
        error: Top-1 error in percent, of whole images on CIFAR-10 and of one
            crop on ImageNet, as printed; empty if not.
        where: The table of that error, and what it is of.
        ten_crop: Errors of ten crops, top-1 and perhaps top-5, and the table.
        dense: The same of the whole image at five scales.
        start: The warm-up: "none", "below 80 %", "400", or "open".
        spec: The shipped spec of the network, if its name is another.
        change: A field of all stages that differs from that of the spec.
    """

    size: str = ""
    error: str = ""
    where: str = ""
    ten_crop: tuple[str, str] | None = None
    dense: tuple[str, str] | None = None
    start: str = "none"
    spec: str = ""
    change: str = ""

    @property
    def others(self) -> str:
        """Errors of other tests, in words."""
        tests = (("10-crop", self.ten_crop), ("dense", self.dense))
        return ", ".join(
            f"{errors} ({name}, {where})"
            for name, found in tests
            if found
            for errors, where in [found]
        )


@dataclass(frozen=True)
class Experiments:
    """The experiments of a paper on one data set.

    Attributes:
        title: The paper and the data set.
        source: The sections, for `Point.source`.
        dataset: The name of the data set in specs.
        networks: What is printed of each network, by its name.
        architecture: The networks, in words.
        shortcuts: Their shortcuts, in words.
        statistics: Images of a batch-norm statistic, in words.
        images_per_statistic: Their number.
        data_set: The data set, in words.
        split: The validation split, in words.
        validation: How many images may be held out.
        preprocessing: In words, and as `explain` writes the transforms.
        augmentation: In words, and as `explain` writes the transforms, sorted.
        batch: Images of an update.
        iterations: Updates, and what the paper says of them.
        learning_rate: In words.
        drops: The iterations at which it is divided by 10; `None` if the paper
            does not say.
        evaluation: How errors are measured, in words.
        reported: Which result is reported, in words.
        machine: What it ran on.
        uniform: Whether all stages of a network have as many blocks.
    """

    title: str
    source: str
    dataset: str
    networks: Mapping[str, Printed]
    architecture: str
    shortcuts: str
    statistics: str
    images_per_statistic: int
    data_set: str
    split: str
    validation: tuple[int, ...]
    preprocessing: tuple[str, list[str]]
    augmentation: tuple[str, list[str]]
    batch: int
    iterations: tuple[int, str]
    learning_rate: str
    drops: tuple[int, ...] | None
    evaluation: str
    reported: str
    machine: str
    uniform: bool = False


def _plain(*depths: int) -> dict[str, Printed]:
    sizes = {20: "0.27", 32: "0.46", 44: "0.66", 56: "0.85", 110: "1.7"}
    return {f"plain{n}": Printed(size=sizes[n]) for n in depths}


CIFAR10 = Experiments(
    title="He et al. 2015 on CIFAR-10",
    source="section 4.2",
    dataset="cifar10",
    networks={
        **_plain(20, 32, 44, 56, 110),
        "resnet20": Printed("0.27", "8.75", "table 6"),
        "resnet32": Printed("0.46", "7.51", "table 6"),
        "resnet44": Printed("0.66", "7.17", "table 6"),
        "resnet56": Printed("0.85", "6.97", "table 6"),
        "resnet110": Printed(
            "1.7",
            "6.43",
            "table 6, the best; 6.61 ± 0.16 over 5 runs",
            start="below 80 %",
        ),
        "resnet1202": Printed("19.4", "7.93", "table 6", start="open"),
    },
    architecture="32×32×3 images; a 3×3 convolution with 16 filters; three"
    " stages of 2n 3×3 convolutions with 16, 32 and 64 filters, the first of"
    " stages 2 and 3 with stride 2; global average pooling; 10 classes",
    shortcuts="option A in all cases; a plain network has none",
    statistics="over the images of one GPU: 64, from a batch of 128 on two"
    " GPUs",
    images_per_statistic=64,
    data_set="CIFAR-10: 50,000 training and 10,000 test images of 10 classes",
    split="the schedule was chosen on 45,000 images for training and 5,000 for"
    " validation; whether the networks of table 6 saw 45,000 or 50,000 is not"
    " stated",
    validation=(0, 5_000),
    preprocessing=("the per-pixel mean subtracted", ["per_pixel_mean"]),
    augmentation=(
        "4 pixels padded on each side, a random 32×32 crop of the image or of"
        " its mirror image",
        ["random_crop (padding 4)", "random_flip"],
    ),
    batch=128,
    iterations=(64_000, "64,000"),
    learning_rate="0.1, divided by 10 at 32,000 and 48,000 iterations",
    drops=(32_000, 48_000),
    evaluation="the single view of the original 32×32 test image",
    reported="ResNet-110: the best and mean ± standard deviation of 5 runs;"
    " others: one run, at an iteration that is not stated",
    machine="Caffe on two GPUs",
    uniform=True,
)


MEDIAN = "median of 5 runs"


def _later(error: str, table: int, size: str = "", **fields: Any) -> Printed:
    where = f"table {table}, {MEDIAN}"
    return Printed(size, error, where, start="400", **fields)


FAILS = "fails, above 20"
_GATED = {"spec": "resnet110-gated"}
_SHORTCUT = {"spec": "resnet110-gated-shortcut"}

IDENTITY_MAPPINGS = Experiments(
    title="He et al. 2016, arXiv:1603.05027, on CIFAR-10",
    source="section 3 of arXiv:1603.05027",
    dataset="cifar10",
    networks={
        "resnet110": _later("6.61", 1, "1.7"),
        "resnet110-scaled": _later("12.35", 1),
        "resnet110-scaled-0-1": _later(
            FAILS,
            1,
            spec="resnet110-scaled",
            change="scale={shortcut: 0, residual: 1}",
        ),
        "resnet110-scaled-0.5-1": _later(
            FAILS,
            1,
            spec="resnet110-scaled",
            change="scale={shortcut: 0.5, residual: 1}",
        ),
        "resnet110-gated": _later("8.70", 1),
        "resnet110-gated-7": _later("9.81", 1, change="gate.bias=-7", **_GATED),
        **{
            f"resnet110-gated-{bias}": _later(
                FAILS, 1, change=f"gate.bias={-bias}", **_GATED
            )
            for bias in range(6)
        },
        "resnet110-gated-shortcut": _later("6.91", 1),
        "resnet110-gated-shortcut-0": _later(
            "12.86", 1, change="gate.bias=0", **_SHORTCUT
        ),
        "resnet110-c": _later("12.22", 1),
        "resnet110-dropout": _later(FAILS, 1),
        "resnet110-norm-after-addition": _later("8.17", 2),
        "resnet110-relu-before-addition": _later("7.84", 2),
        "resnet110-relu-preactivation": _later("6.71", 2),
        "preresnet110": _later("6.37", 2, "1.7"),
        "resnet164": _later("5.93", 2, "1.7"),
        "resnet164-norm-after-addition": _later("6.50", 2),
        "resnet164-relu-before-addition": _later("6.14", 2),
        "resnet164-relu-preactivation": _later("5.91", 2),
        "preresnet164": _later("5.46", 2, "1.7"),
        "preresnet1001": Printed(
            "10.2",
            "4.92",
            f"table 3, {MEDIAN}; 4.89 ± 0.14",
            start="400",
        ),
    },
    architecture="32×32×3 images; a 3×3 convolution with 16 filters; three"
    " stages of n residual units on 32×32, 16×16 and 8×8 maps, of two 3×3"
    " convolutions (6n+2 layers) or of bottlenecks (9n+2 layers); global"
    " average pooling; 10 classes",
    shortcuts="identity; the kinds of figure 2 and the orders of figure 4",
    **{
        name: getattr(CIFAR10, name)
        for name in (
            *("statistics", "images_per_statistic", "data_set"),
            *("validation", "preprocessing", "augmentation", "batch"),
            *("iterations", "learning_rate", "drops", "evaluation"),
        )
    },
    split="whether 45,000 or 50,000 images were trained on is not stated",
    reported="medians of 5 runs",
    machine="Torch on two GPUs",
    uniform=True,
)

_ONE_CROP = "release notes, one crop"
_CROPS, _SCALES = "table 3", "table 4"
# The shorter sides of its tests with one crop or ten, and of the dense one.
IMAGENET_SIDES = {
    "single": (256,),
    "ten-crop": (256,),
    "dense": (224, 256, 384, 480, 640),
}

IMAGENET = Experiments(
    title="He et al. 2015 on ImageNet",
    source="sections 3.4 and 4.1",
    dataset="imagenet",
    networks={
        "plain18": Printed("1.8", ten_crop=("27.94", "table 2")),
        "plain34": Printed("3.6", ten_crop=("28.54 / 10.02", _CROPS)),
        "resnet18-a": Printed("1.8", ten_crop=("27.88", "table 2")),
        "resnet18": Printed("1.8"),
        "resnet34-a": Printed("3.6", ten_crop=("25.03 / 7.76", _CROPS)),
        "resnet34": Printed(
            "3.6",
            ten_crop=("24.52 / 7.46", _CROPS),
            dense=("21.84 / 5.71", _SCALES),
        ),
        "resnet34-c": Printed(
            "3.6",
            ten_crop=("24.19 / 7.40", _CROPS),
            dense=("21.53 / 5.60", _SCALES),
        ),
        "resnet50": Printed(
            "3.8",
            "24.7",
            _ONE_CROP,
            ten_crop=("22.85 / 6.71", _CROPS),
            dense=("20.74 / 5.25", _SCALES),
        ),
        "resnet101": Printed(
            "7.6",
            "23.6",
            _ONE_CROP,
            ten_crop=("21.75 / 6.05", _CROPS),
            dense=("19.87 / 4.60", _SCALES),
        ),
        "resnet152": Printed(
            "11.3",
            "23.0",
            _ONE_CROP,
            ten_crop=("21.43 / 5.71", _CROPS),
            dense=("19.38 / 4.49", _SCALES),
        ),
    },
    architecture="224×224×3 images; a 7×7 convolution with 64 filters and"
    " stride 2; 3×3 max pooling with stride 2; four stages of plain, basic or"
    " bottleneck blocks as in table 1; global average pooling; 1,000 classes",
    shortcuts="18 and 34 layers: option A in table 2, A, B and C in table 3;"
    " bottlenecks: option B; a plain network has none",
    statistics="over the images of one GPU; their number is not stated, 32 on"
    " each of eight GPUs is the practice",
    images_per_statistic=32,
    data_set="ImageNet: 1.28 million training images of 1,000 classes, tests"
    " on the 50,000 validation images",
    split="none",
    validation=(0,),
    preprocessing=(
        "the per-pixel mean subtracted; the scale of pixels is not stated",
        ["per_pixel_mean", "rescale (divide_by 255)"],
    ),
    augmentation=(
        "the shorter side resized to a random length of 256 to 480, a random"
        " 224×224 crop of the image or of its mirror image, and the standard"
        " colour augmentation (FancyPCA)",
        ["fancy_pca (stddev 0.1)", "random_flip", "shorter side 256 to 480"],
    ),
    batch=256,
    iterations=(600_000, "up to 600,000"),
    learning_rate="0.1, divided by 10 when the error plateaus",
    drops=None,
    evaluation="10 crops (tables 2 and 3), or the whole image at five scales"
    " (tables 4 and 5)",
    reported="one run, at an iteration that is not stated",
    machine="Caffe on several GPUs",
)
PAPERS = (CIFAR10, IDENTITY_MAPPINGS, IMAGENET)


def experiments_of(spec: Spec) -> Experiments:
    """The experiments that a spec is to be compared with.

    ResNet-110 is in both papers: the second starts it with 400 iterations.
    """
    if spec.data.facts.photos:
        return IMAGENET
    fixed = spec.training.warm_up and spec.training.warm_up.iterations
    first, later = (
        shape_known(spec.model, each) for each in (CIFAR10, IDENTITY_MAPPINGS)
    )
    return IDENTITY_MAPPINGS if later and (fixed or not first) else CIFAR10


def printed_network(
    model: ModelSpec, experiments: Experiments
) -> tuple[str, Printed] | None:
    """The network of the paper that a model is, and what is printed of it.

    The numbers of batch norm may differ, which are points of their own.
    """
    return _networks(experiments.title, ()).get(_key(model))


def size_known(model: ModelSpec, experiments: Experiments) -> Printed | None:
    """What is printed of a network that may have other shortcuts."""
    known = _networks(experiments.title, ("shortcut",))
    found = known.get(_key(model, ("shortcut",)))
    return found[1] if found else None


def shape_known(model: ModelSpec, experiments: Experiments) -> bool:
    """Whether some network of the paper has this shape.

    Shortcuts may be others, and on CIFAR-10 the number n of blocks.
    """
    pixels = DATASETS[experiments.dataset].input
    if pixels and tuple(model.input) != pixels:
        return False  # and their specs need not be read
    free = ("shortcut", "blocks") if experiments.uniform else ("shortcut",)
    return _key(model, free) in _networks(experiments.title, free)


@functools.cache
def _networks(title: str, free: tuple[str, ...]) -> dict[str, Any]:
    """The networks of a paper by what `_key` makes of them."""
    (experiments,) = (each for each in PAPERS if each.title == title)
    found: dict[str, tuple[str, Printed]] = {}
    for name, printed in experiments.networks.items():
        changes = [
            f"model.stages[{i}].{printed.change}"
            for i in range(3)
            if printed.change
        ]
        model = load_spec(printed.spec or name, changes).model
        found.setdefault(_key(model, free), (name, printed))
    return found


def _key(model: ModelSpec, free: tuple[str, ...] = ()) -> str:
    """All fields of a model that tell networks apart, as text."""
    fields = model.model_dump(mode="json", exclude_defaults=True)
    blocks = {stage.get("blocks") for stage in fields["stages"]}
    if fields["batch_norm"]:
        fields["batch_norm"] = fields["batch_norm"].get("last_scale", True)
    for stage in fields["stages"]:
        for name in free:
            if name != "blocks" or len(blocks) == 1:
                stage.pop(name, None)
    return repr(fields)
