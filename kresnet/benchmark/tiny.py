"""A spec made tiny: the same operations with next to no arithmetic in them.

What a step of it takes is what the host needs to prepare, start and follow the
operations of a step.
"""

import math

import numpy as np

from kresnet.spec import Spec


def tiny(spec: Spec) -> Spec:
    """Images as small as the strides allow, narrow layers, as many groups.

    Args:
        spec: Any spec.

    Returns:
        A spec with the same layers and two images per group of batch norm.
    """
    model, training = spec.model, spec.training
    side = model.stem.stride * math.prod(s.stride for s in model.stages)
    narrow = math.gcd(model.stem.width, *(s.width for s in model.stages))
    per_statistic = model.batch_norm.images_per_statistic
    groups = training.batch_size // per_statistic if per_statistic else 1
    fields = spec.model_dump(mode="json", exclude={"expect"})
    fields["data"]["validation"] = 0
    fields["training"]["batch_size"] = 2 * groups
    fields["model"]["input"] = [side, side, model.input[2]]
    for part in (fields["model"]["stem"], *fields["model"]["stages"]):
        part["width"] //= narrow
    if per_statistic:
        fields["model"]["batch_norm"]["images_per_statistic"] = 2
    # Not checked: the data set's images have another size.
    return spec.model_copy(
        update={
            "expect": None,
            **{
                name: type(getattr(spec, name)).model_validate(fields[name])
                for name in ("model", "data", "training")
            },
        }
    )


def tiny_data(spec: Spec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, labels and the training split for a tiny spec."""
    count = 4 * spec.training.batch_size
    shape = (count, *spec.model.input)
    images = np.arange(math.prod(shape)).reshape(shape).astype("uint8")
    labels = (np.arange(count) % spec.model.classes).astype("int32")
    return images, labels, np.arange(count)
