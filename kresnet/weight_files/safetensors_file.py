"""Arrays of a safetensors file, and of several with an index.

The header is read here and not by the library, which forgets one of two arrays
of a name and knows no bfloat16 unless another package was imported before.
"""

import functools
import json
import math
import os
from io import BufferedReader
from typing import Any

import numpy as np

from kresnet.weight_files.held import (
    Held,
    Listing,
    Shape,
    as_numbers,
    item_size,
    whole_numbers,
)

# Bytes; 100 MB is the limit of the format.
MOST_HEADER = 100_000_000
# Of the format's types those that a weight or a counter may have.
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def list_safetensors(file: BufferedReader) -> Listing:
    """Lists the arrays of an open file; errors as of `explained`."""
    file.seek(0)
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(size - 8, MOST_HEADER):
        raise ValueError("its header does not fit into the file")
    header = _json(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no mapping")
    header.pop("__metadata__", None)
    start, found, spans = 8 + length, {}, []
    for name, entry in header.items():
        shape = whole_numbers(entry["shape"])
        first, last = whole_numbers(entry["data_offsets"])
        dtype = DTYPES.get(entry["dtype"])
        if dtype is None:
            raise ValueError(f"{name} is of type {entry['dtype']}")
        if math.prod(shape) * item_size(dtype) != last - first:
            raise ValueError(f"{name} has not as many bytes as its shape says")
        read = functools.partial(
            _read, file, start + first, last - first, shape, dtype
        )
        found[name] = Held(shape, dtype, read)
        spans.append((first, last))
    at = 0
    for first, last in sorted(spans):
        if first != at:
            raise ValueError("its arrays do not lie one after the other")
        at = last
    if start + at != size:
        raise ValueError(
            f"its header speaks of {start + at:,} bytes, and it has {size:,}"
        )
    return found


def list_index(file: BufferedReader) -> dict[str, str]:
    """Files in the folder of an index, by the arrays that they have."""
    file.seek(0)
    named = _json(file.read(MOST_HEADER))["weight_map"]
    for name in named.values():
        if (
            not isinstance(name, str)
            or os.path.basename(name) != name
            or name in ("", ".", "..")
        ):
            raise ValueError(f"{name!r} is not a file beside the index")
    return named


def _read(
    file: BufferedReader, start: int, size: int, shape: Shape, dtype: str
) -> np.ndarray:
    file.seek(start)
    return as_numbers(file.read(size), dtype).reshape(shape)


def _json(text: bytes) -> Any:
    return json.loads(text.decode("utf-8"), object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("two of its arrays have one name")
    return found
