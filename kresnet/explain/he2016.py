"""He et al. 2016, arXiv:1603.05027: its experiments on CIFAR-10."""

from dataclasses import replace
from typing import Any

from kresnet.explain.experiments import PaperTest, Printed
from kresnet.explain.he2015 import CIFAR10

MEDIAN = "median of 5 runs"


def _later(error: str, table: int, size: str = "", **fields: Any) -> Printed:
    where = f"table {table}, {MEDIAN}"
    return Printed(size, (PaperTest(error, where),), start="400", **fields)


FAILS = "fails, above 20"
_GATED = {"spec": "resnet110-gated"}
_SHORTCUT = {"spec": "resnet110-gated-shortcut"}

# What is not named here is as in the first paper.
IDENTITY_MAPPINGS = replace(
    CIFAR10,
    title="He et al. 2016, arXiv:1603.05027, on CIFAR-10",
    source="section 3 of arXiv:1603.05027",
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
            (PaperTest("4.92", f"table 3, {MEDIAN}; 4.89 ± 0.14"),),
            start="400",
        ),
    },
    architecture="32×32×3 images; a 3×3 convolution with 16 filters; three"
    " stages of n residual units on 32×32, 16×16 and 8×8 maps, of two 3×3"
    " convolutions (6n+2 layers) or of bottlenecks (9n+2 layers); global"
    " average pooling; 10 classes",
    shortcuts="identity; the kinds of figure 2 and the orders of figure 4",
    batch_norm=(
        "as in figure 4, by the order of batch norm, ReLU and addition",
        "",
    ),
    dropout=("none, but on the shortcuts of one (figure 2f)", None),
    split="whether 45,000 or 50,000 images were trained on is not stated",
    reported="medians of 5 runs",
    machine="Torch on two GPUs",
)
