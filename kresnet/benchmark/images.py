"""The images of a measured training."""

import math
import os

import numpy as np

from kresnet.data import Source, open_source
from kresnet.data.source import ARRAYS, make_dataset
from kresnet.spec import Spec


def measured_images(
    spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> tuple[Source, np.ndarray]:
    """The data set of a spec and the indices of its training split.

    Where a data set has images of all sizes, they are generated: the training
    is measured, not the reading. Arguments and errors are of `load_dataset`.
    """
    if spec.data.facts.photos:
        return generated_images(spec)
    data = open_source(spec, data_dir)
    training, _ = data.parts(spec.data.validation)
    return data, training.indices


def generated_images(spec: Spec) -> tuple[Source, np.ndarray]:
    """Four batches of images that a spec could train on, in memory."""
    count = 4 * spec.training.batch_size
    shape = (count, *spec.model.input)
    images = np.arange(math.prod(shape)).reshape(shape).astype("uint8")
    labels = (np.arange(count) % spec.model.classes).astype("int32")
    arrays = dict(zip(ARRAYS, (images, labels) * 2, strict=True))
    return make_dataset("generated", (), arrays), np.arange(count)
