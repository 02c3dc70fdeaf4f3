"""What arrays a network has: one more use of the walk."""

from typing import NamedTuple

from kresnet.architecture.census import Counting
from kresnet.architecture.model import ModelSpec
from kresnet.architecture.parts import Place

Shape = tuple[int, ...]


class Part(NamedTuple):
    """A layer of the walk.

    Attributes:
        place: Where it stands.
        layer: Its name there: conv1, bn1, shortcut, shortcut_bn …; empty for
            the only convolution or dense layer of a place.
        kind: convolution, norm, dense, scalar; relu and pool have no arrays.
        number: How many layers of these kinds are before it.
        shapes: The shapes of its arrays, by their names.
        map: Height, width and channels that a dense layer is given.
    """

    place: Place
    layer: str
    kind: str
    number: int
    shapes: dict[str, Shape]
    map: Shape = ()

    @property
    def name(self) -> str:
        """The name of the layer, as Keras has it."""
        return self.place.named(self.layer)

    @property
    def in_stage(self) -> bool:
        """Whether it belongs to a block."""
        return self.place.stage is not None

    @property
    def in_head(self) -> bool:
        """Whether it stands after the stages."""
        return self.place.stage is None and self.place.name != "conv1"

    @property
    def is_classifier(self) -> bool:
        """Whether it is the last layer."""
        return self.place.name == "fc"


def inventory(model: ModelSpec) -> list[Part]:
    """The layers of a network, from input to output."""
    return _Inventory.of(model).parts


class _Inventory(Counting):
    """Notes layers beside counting."""

    def __init__(self):
        super().__init__()
        self.parts: list[Part] = []

    def _note(self, layer, kind, shapes=None, of=()):
        number = len(self.parts)
        self.parts.append(
            Part(self.place, layer, kind, number, shapes or {}, of)
        )

    def convolution(self, x, width, kernel, stride, name, **more):
        channels = x.shape[2] // more.get("groups", 1)
        shapes: dict[str, Shape] = {"kernel": (kernel, kernel, channels, width)}
        if self.biased(more.get("bias")):
            shapes["bias"] = (width,)
        self._note(name, "convolution", shapes)
        return super().convolution(x, width, kernel, stride, name, **more)

    def norm(self, x, name, scale=1.0):
        if self.model.normed:
            arrays = ["gamma", "beta"]
            if self.model.batch_norm is not None:
                arrays += ["moving_mean", "moving_variance"]
            self._note(name, "norm", dict.fromkeys(arrays, (x.shape[2],)))
        return super().norm(x, name, scale)

    def scalar(self, x, name, factor=False):
        self._note(name, "scalar", {"factor" if factor else "bias": ()})
        return super().scalar(x, name, factor)

    def relu(self, x, name):
        self._note(name, "relu")
        return super().relu(x, name)

    def max_pool(self, x, kernel, stride, padding, name=""):
        self._note(name, "pool")
        return super().max_pool(x, kernel, stride, padding, name)

    def dense(self, x, width, name="", *, zeros=False):
        shapes = {"kernel": (x.shape[2], width), "bias": (width,)}
        self._note(name, "dense", shapes, x.flattened or x.shape)
        return super().dense(x, width, name, zeros=zeros)
