"""What other programs call the layers of a network, and what they do else.

A naming is a function from a layer of the walk to a name, and a few facts. It
serves to import and, read backwards, to convert.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kresnet.architecture import (
    BottleneckStage,
    ConvolutionsStage,
    ModelSpec,
    Part,
)

# What others call our arrays.
TORCH = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


class Naming(NamedTuple):
    """How another program names and keeps the arrays of a network.

    Attributes:
        name: What the command calls it.
        about: What it is of, in words.
        source: Returns the name of a layer.
        applies: Whether the program has such networks.
        torch: Whether arrays are called and laid out as PyTorch's.
        epsilon: Of batch norm; `None` for that of the spec.
        biases: Whether convolutions have biases although batch norm follows.
        bgr: Whether the first kernels take blue, green, red.
        centred: Whether option A pads channels on both sides.
        spread: Whether VGG's fc6 and fc7 are convolutions over all of a map.
        stride_in: Where bottlenecks have their stride.
        transforms: What is usual before the network.
    """

    name: str
    about: str
    source: Callable[[Part], str]
    applies: Callable[[ModelSpec], bool]
    torch: bool = True
    epsilon: float | None = 1e-5
    biases: bool = False
    bgr: bool = False
    centred: bool = False
    spread: bool = False
    stride_in: str = "3x3"
    transforms: tuple[dict[str, Any], ...] = ()

    def array(self, part: Part, array: str) -> str:
        """The name of an array of a layer."""
        own, between = (TORCH[array], ".") if self.torch else (array, "/")
        return f"{self.source(part)}{between}{own}"

    def odd(self, model: ModelSpec) -> Iterator[str]:
        """What its networks usually have otherwise, in words.

        No file of weights says so: the spec decides.
        """
        if self.epsilon is None:
            return
        pool = model.stem and model.stem.pool
        if pool and pool.padding == "end":
            yield (
                f"{self.name}'s networks pad the pool evenly, and this one at"
                " the end: --set model.stem.pool.padding=even"
            )
        for i, stage in enumerate(model.stages):
            if isinstance(stage, BottleneckStage) and (
                stage.stride > 1 and stage.stride_in != self.stride_in
            ):
                yield (
                    f"{self.name}'s bottlenecks have their stride in the"
                    f" {self.stride_in}, and this network in the"
                    f" {stage.stride_in}: --set model.stages[{i}].stride_in="
                    f"{self.stride_in}, for each stage"
                )
                return

    def assumed(self, model: ModelSpec) -> Iterator[str]:
        """What the file does not say and the spec decides, in words."""
        pool = model.stem and model.stem.pool
        if pool:
            side = f"{pool.kernel}×{pool.kernel}"
            yield f"max pooling {side}, stride {pool.stride}, {pool.padding}"
        places = {
            stage.stride_in
            for stage in model.stages
            if isinstance(stage, BottleneckStage) and stage.stride > 1
        }
        yield from (f"bottlenecks' stride in the {each}" for each in places)
        if model.stem:
            yield f"stride of the stem {model.stem.stride}"
        strides = [str(stage.stride) for stage in model.stages]
        if not all(isinstance(s, ConvolutionsStage) for s in model.stages):
            yield f"strides of the stages {', '.join(strides)}"
        dilated = {getattr(stage, "dilation", 1) for stage in model.stages}
        yield "no dilation" if dilated == {1} else "dilation as the spec has it"
        if model.survival < 1:
            yield f"residuals times survival, {model.survival:g} at last"
        if self.epsilon is not None and model.batch_norm is not None:
            yield f"ε of batch norm {self.epsilon:g}, as {self.name} has it"
