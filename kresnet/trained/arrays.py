"""Between a model with its optimiser and the arrays of a checkpoint."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from kresnet.errors import BadDataError


def to_arrays(variables: Iterable[keras.Variable]) -> dict[str, np.ndarray]:
    """Copies variables to arrays by path."""
    arrays = {}
    for variable in variables:
        if variable.path in arrays:
            raise ValueError(
                f"variable paths must differ. Received: {variable.path} twice"
            )
        # ascontiguousarray would turn scalars into vectors of one.
        value = keras.ops.convert_to_numpy(variable.value)
        arrays[variable.path] = np.array(value, order="C")
    return arrays


def from_arrays(
    variables: Iterable[keras.Variable], arrays: Mapping[str, np.ndarray]
) -> None:
    """Assigns arrays to the variables of the same path.

    Raises:
        BadDataError: Paths or shapes differ; nothing was assigned.
    """
    by_path = {variable.path: variable for variable in variables}
    if by_path.keys() != arrays.keys():
        missing = sorted(by_path.keys() - arrays.keys())
        unknown = sorted(arrays.keys() - by_path.keys())
        raise BadDataError(
            "the checkpoint belongs to another network: missing "
            f"{missing[:3]}, unknown {unknown[:3]}"
        )
    for path, variable in by_path.items():
        if tuple(variable.shape) != arrays[path].shape:
            raise BadDataError(
                f"the checkpoint belongs to another network: {path} has shape "
                f"{arrays[path].shape}, not {tuple(variable.shape)}"
            )
    for path, variable in by_path.items():
        variable.assign(arrays[path])
