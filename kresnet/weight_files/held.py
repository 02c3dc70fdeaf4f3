"""An array that a file of another program holds, known before it is read."""

import contextlib
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kresnet.errors import BadDataError, read_error

Shape = tuple[int, ...]
# NumPy has 32 or 64 axes, depending on its version.
MOST_AXES = 32
# Of the floating-point types, the one that NumPy does not have is two bytes,
# the upper half of a float32.
FLOATS = ("float64", "float32", "float16", "bfloat16")
# What a library raises about a file that is not what it should be.
_WRONG = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


class Held(NamedTuple):
    """An array in a file.

    Attributes:
        shape: Its shape.
        dtype: The name of its type, such as "float32" or "bfloat16".
        read: Reads it. Types with fewer bits are widened to float32.
    """

    shape: Shape
    dtype: str
    read: Callable[[], np.ndarray]


Listing = dict[str, Held]


def each_once(arrays: Iterable[tuple[str, Held]], none: str) -> Listing:
    """Arrays by name; a ValueError where there is `none`, or two of a name."""
    found: Listing = {}
    for name, held in arrays:
        if name in found:
            raise ValueError(f"two arrays are called {name}")
        found[name] = held
    if not found:
        raise ValueError(none)
    return found


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raises what is wrong with a file as one error of ours.

    Raises:
        BadDataError: It is not what it says it is.
        InputMissingError: It may not be read.
    """
    try:
        yield
    except PermissionError as error:
        raise read_error(path, error) from error
    except _WRONG as error:
        why = " ".join(str(error).split()) or type(error).__name__
        said = f"{path}: cannot be read as weights: {why}"
        raise BadDataError(said) from error


def whole_numbers(values: object) -> Shape:
    """Checks that something is a shape: a few integers, none below 0."""
    if (
        not isinstance(values, list | tuple)
        or len(values) > MOST_AXES
        or any(
            type(each) is not int or not 0 <= each < 2**63 for each in values
        )
    ):
        raise ValueError("a shape is no list of integers")
    return tuple(values)


def as_numbers(data: bytes, dtype: str) -> np.ndarray:
    """The numbers in little-endian bytes, one after the other, as `Held.read`.

    The type has NumPy's name, or is "bfloat16".
    """
    if dtype == "bfloat16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    numbers = np.frombuffer(data, np.dtype(dtype).newbyteorder("<"))
    return numbers.astype("<f4") if dtype == "float16" else numbers


def item_size(dtype: str) -> int:
    """Bytes of a number."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
