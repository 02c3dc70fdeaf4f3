"""How another program lays out the numbers of an array, and back."""

import numpy as np

from kresnet.architecture import Part
from kresnet.importing.naming import Naming
from kresnet.weight_files import Shape


def theirs(part: Part, array: str, naming: Naming) -> Shape:
    """The shape that an array of ours has in the other program."""
    shape = part.shapes[array]
    if array != "kernel" or not naming.torch:
        return shape
    if part.kind == "convolution":
        return tuple(shape[axis] for axis in (3, 2, 0, 1))
    if naming.spread and not part.is_classifier:
        height, width, channels = part.map
        return shape[1], channels, height, width
    return shape[::-1]


def turned(value: np.ndarray, part: Part, naming: Naming) -> np.ndarray:
    """A kernel of theirs with our axes."""
    if not naming.torch:
        return value
    if part.kind == "convolution":
        return value.transpose(2, 3, 1, 0)
    height, width, channels = part.map
    # A map is flattened there with its channels first.
    value = value.reshape(-1, channels, height, width)
    return value.transpose(2, 3, 1, 0).reshape(part.shapes["kernel"])


def turned_back(value: np.ndarray, part: Part, naming: Naming) -> np.ndarray:
    """A kernel of ours with their axes."""
    if not naming.torch:
        return value
    if part.kind == "convolution":
        return value.transpose(3, 2, 0, 1)
    value = value.reshape(*part.map, -1)
    return value.transpose(3, 2, 0, 1).reshape(theirs(part, "kernel", naming))


def centred_orders(parts: list[Part]) -> list[np.ndarray]:
    """Where a net that pads on both sides has our channels.

    Our option A appends channels of zeros; theirs puts as many before. So our
    channel k of a stage is their channel `orders[number][k]`.

    Returns:
        The orders of the images, of what the stem emits, and of the stages.
    """
    kernels = [part for part in parts if part.kind == "convolution"]
    first = np.arange(kernels[0].shapes["kernel"][-1])
    orders = [np.arange(kernels[0].shapes["kernel"][2]), first]
    for part in kernels:
        if part.in_stage and _number(part) == len(orders):
            width = part.shapes["kernel"][-1]
            before = orders[-1] + (width - len(orders[-1])) // 2
            after = np.setdiff1d(np.arange(width), before)
            orders.append(np.concatenate([before, after]))
    return orders


def reordered(
    value: np.ndarray, part: Part, array: str, orders: list[np.ndarray]
) -> np.ndarray:
    """An array with our axes and their channels, with our channels."""
    leaves = orders[_number(part)]
    enters = leaves
    if (
        not part.in_head
        and part.layer in ("", "conv1")
        and part.place.block < 2
    ):
        enters = orders[_number(part) - 1]
    if array == "kernel":
        value = value[..., enters, :]
    return value if part.kind == "dense" else value[..., leaves]


def _number(part: Part) -> int:
    """Which order of `centred_orders` what a layer emits has."""
    if part.in_head:
        return -1
    return 1 if part.place.stage is None else part.place.stage + 2
