"""Writes a network's weights for another program: a naming read backwards."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from safetensors.numpy import save

from kresnet.architecture import ModelSpec, Part, inventory
from kresnet.errors import CannotWriteError, SpecError, write_error
from kresnet.files import check_file, replace_file
from kresnet.importing.layout import turned_back
from kresnet.importing.naming import Naming
from kresnet.importing.namings import NAMINGS
from kresnet.spec import load_spec
from kresnet.trained import Trained, open_trained

Program = Literal["torchvision", "keras"]
# Our specs, and what the other program calls the network.
COUNTERPARTS: dict[str, dict[str, str]] = {
    "torchvision": {
        "resnet18": "resnet18",
        "resnet34": "resnet34",
        "resnet50-v1.5": "resnet50",
        "resnet101-v1.5": "resnet101",
        "resnet152-v1.5": "resnet152",
        "resnext50-32x4d": "resnext50_32x4d",
        "resnext101-32x8d": "resnext101_32x8d",
        "wide50-2": "wide_resnet50_2",
        "wide101-2": "wide_resnet101_2",
        "vgg11": "vgg11",
        "vgg13": "vgg13",
        "vgg16": "vgg16",
        "vgg16-bn": "vgg16_bn",
        "vgg19": "vgg19",
    },
    "keras": {
        "resnet50": "ResNet50",
        "resnet101": "ResNet101",
        "resnet152": "ResNet152",
        "vgg16": "VGG16",
        "vgg19": "VGG19",
    },
}


def convert(
    network: Trained | str | os.PathLike[str],
    to: Program,
    out: str | os.PathLike[str],
) -> str:
    """Writes the weights of a run or an import for another program.

    For torchvision it is a safetensors file of a state dict, for keras a
    `.weights.h5`. The transforms are not in it.

    Args:
        network: A run or an import, or its folder.
        to: The other program.
        out: The file to make.

    Returns:
        What the other program calls the network.

    Raises:
        SpecError: It has no such network, or one that is another function.
        CannotWriteError: `out` exists or cannot be written.
        KresnetError: As of `open_trained`.
    """
    out = Path(out)
    if to not in COUNTERPARTS:
        raise SpecError(
            f"--to: must be {' or '.join(COUNTERPARTS)}. Received: {to}"
        )
    ending = ".weights.h5" if to == "keras" else ".safetensors"
    if not out.name.endswith(ending):
        raise SpecError(f"--out: must end in {ending}. Received: {out}")
    if os.path.lexists(out):
        raise CannotWriteError(f"{out}: exists and is not overwritten")
    check_file(out)
    opened = open_trained(network).with_layers("convert")
    if opened.lacks:
        raise SpecError(
            f"{opened.folder}: has no weights of {', '.join(opened.lacks)}"
        )
    model = opened.spec.model
    naming = _naming(model, to)
    name = _counterpart(model, to)
    arrays = {
        naming.array(part, array): value
        for part, array, value in _theirs(model, naming, opened.weights)
    }
    if to == "torchvision":
        for part in inventory(model):
            if part.kind == "norm":
                counter = f"{naming.source(part)}.num_batches_tracked"
                arrays[counter] = np.zeros((), "int64")
        replace_file(out, save(arrays))
    else:
        _save_keras(out, name, model, arrays)
    return name


def _naming(model: ModelSpec, to: str) -> Naming:
    """How the other program names such a network."""
    for naming in (NAMINGS[to], NAMINGS[f"{to}-vgg"]):
        if naming.applies(model):
            for line in naming.odd(model):
                raise SpecError(
                    f"--to {to}: the network would be another function there:"
                    f" {line.partition(': --set')[0]}"
                )
            return naming
    raise _no_counterpart(to)


def _counterpart(model: ModelSpec, to: str) -> str:
    """The other program's name of the network, whatever its classes."""
    own = _shapes(model)
    for spec, name in COUNTERPARTS[to].items():
        other = load_spec(spec).model
        if _shapes(other) == own:
            there = _beside_shapes(other)
            for field, value in _beside_shapes(model).items():
                if value != there[field]:
                    raise SpecError(
                        f"--to {to}: the network would be another function"
                        f" there: {field} must be {there[field]}, as in {name}."
                        f" Received: {value}"
                    )
            return name
    raise _no_counterpart(to)


def _shapes(model: ModelSpec) -> list[tuple]:
    parts = [p for p in inventory(model) if not p.is_classifier]
    return [(part.name, part.shapes) for part in parts]


def _beside_shapes(model: ModelSpec) -> dict[str, object]:
    """The fields on which the function depends and no array does.

    That a pool after the stem pads evenly is a naming's matter: `Naming.odd`.
    """
    found: dict[str, object] = {"model.survival": model.survival}
    stem = model.stem
    if stem is not None:
        found["model.stem.stride"] = stem.stride
        if stem.pool is not None:
            found["model.stem.pool.kernel"] = stem.pool.kernel
            found["model.stem.pool.stride"] = stem.pool.stride
    for i, stage in enumerate(model.stages):
        at = f"model.stages[{i}]"
        found[f"{at}.stride"] = stage.stride
        found[f"{at}.dilation"] = getattr(stage, "dilation", 1)
        pool = getattr(stage, "pool", None)
        for name in ("kernel", "stride", "padding"):
            found[f"{at}.pool.{name}"] = getattr(pool, name, None)
    return found


def _no_counterpart(to: str) -> SpecError:
    return SpecError(
        f"--to {to}: must be a network that it has: as the specs"
        f" {', '.join(COUNTERPARTS[to])}"
    )


def _theirs(
    model: ModelSpec, naming: Naming, weights: dict[str, np.ndarray]
) -> Iterator[tuple[Part, str, np.ndarray]]:
    """The arrays as the other program has them."""
    first = True
    for part in inventory(model):
        for array, shape in part.shapes.items():
            value = weights[f"{part.name}/{array}"]
            if array == "kernel":
                if first and naming.bgr and shape[2] == 3:
                    value = value[:, :, ::-1]
                value = turned_back(value, part, naming)
                first = False
            elif array == "moving_variance":
                value = _variance(value, model, naming)
            yield part, array, np.ascontiguousarray(value)
        if naming.biases and part.kind == "convolution":
            width = part.shapes["kernel"][-1]
            yield part, "bias", np.zeros(width, "float32")


def _variance(value: np.ndarray, model: ModelSpec, naming: Naming):
    """With the difference of the two ε in it."""
    norm = model.batch_norm
    if norm is None or naming.epsilon in (None, norm.epsilon):
        return value
    moved = value.astype("float64") + (norm.epsilon - naming.epsilon)
    if (moved < 0).any():
        raise SpecError(
            f"--to {naming.name}: a variance is so small that it cannot hold"
            f" the difference to {naming.name}'s ε, {naming.epsilon:g}"
        )
    return moved.astype(value.dtype)


def _save_keras(
    out: Path, name: str, model: ModelSpec, arrays: dict[str, np.ndarray]
) -> None:
    """Fills the real network, and lets Keras write its own format."""
    made = getattr(keras.applications, name)(
        weights=None,
        classes=model.classes,
        input_shape=model.input,
        classifier_activation=None,
    )
    for layer in made.layers:
        if layer.weights:
            layer.set_weights(
                [arrays[f"{layer.name}/{each.name}"] for each in layer.weights]
            )
    own = out.with_name(f".tmp-{out.name}")
    try:
        made.save_weights(own)
        os.replace(own, out)
    except OSError as error:
        own.unlink(missing_ok=True)
        raise write_error(out, error) from error
