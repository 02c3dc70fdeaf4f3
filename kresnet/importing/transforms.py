"""The transforms of an import, none of which can be adapted, and its view."""

from typing import Any

import numpy as np

from kresnet.importing.naming import Naming
from kresnet.spec import Spec


def with_constants(spec: Spec, naming: Naming) -> tuple[Spec, str]:
    """A spec whose transforms need no training images, and their origin.

    Transforms whose statistics are those of training images are replaced by
    what is usual for the naming; those that only draw stay.
    """
    before = spec.data.transforms
    adapted = [each.layer for each in before if each.is_adapted]
    if not adapted or naming.epsilon is None:  # kresnet's files hold them
        return spec, "those of the file" if adapted else "those of the spec"
    channels = spec.model.input[2]
    usual = [_for_channels(each, channels) for each in naming.transforms]
    kept = [
        each.model_dump(exclude_none=True)
        for each in before
        if each.draws and not each.is_adapted
    ]
    fields = spec.model_dump(exclude={"data"})
    data = spec.data.model_dump() | {"transforms": [*usual, *kept]}
    from_where = (
        f"those that are usual for {naming.about}, in the place of the spec's"
        f" {', '.join(adapted)}"
    )
    if channels != 3:
        from_where += "; means over the colours, since there is another number"
    return type(spec).model_validate(fields | {"data": data}), from_where


def _for_channels(transform: dict[str, Any], channels: int) -> dict[str, Any]:
    """Constants of three colours, or their mean for each channel."""
    if channels == 3:
        return transform
    return {
        name: [float(np.mean(value))] * channels
        if isinstance(value, list)
        else value
        for name, value in transform.items()
    }


def about_view(spec: Spec) -> str:
    """Which part of an image the network sees, and who says so."""
    if spec.data.views is None:
        return "one whole image, as the data set has it"
    height, width, _ = spec.model.input
    return (
        f"one crop in the centre, {width}×{height}, of an image whose shorter"
        f" side is {spec.data.views.test.shorter_side}, bilinear with"
        " antialiasing, as the spec has it"
    )
