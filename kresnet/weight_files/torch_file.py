"""Arrays of a PyTorch file (.pth, .pt, .th, .bin), read without PyTorch.

Both formats of `torch.save`: the zip file and the older stream. What is in
their pickles is never run; see `pickle_as_data`.
"""

import io
import itertools
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import Any

import numpy as np

from kresnet.weight_files.held import (
    Held,
    Listing,
    as_numbers,
    each_once,
    item_size,
    whole_numbers,
)
from kresnet.weight_files.pickle_as_data import Call, Stored, read_pickle

# Named values; a small file can name the same one very often.
MOST_VALUES = 200_000
# Mappings in mappings in which arrays are looked for.
DEEPEST = 5
# What the older stream begins with, and the version of its format.
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}
TENSOR = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
PARAMETER = "torch._utils._rebuild_parameter"
# Reads a storage: its key, and how many bytes it has.
ReadStorage = Callable[[str, int], bytes]


def list_torch_zip(file: BufferedReader) -> Listing:
    """Lists the arrays of an open zip file; errors as of `explained`.

    Every storage is an entry of its own and is not compressed; its checksum is
    compared when it is read.
    """
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    tops = [
        name.removesuffix("data.pkl")
        for name in names
        if name.count("/") == 1 and name.endswith("/data.pkl")
    ]
    if len(tops) != 1:
        raise ValueError("a zip file that torch.save did not write")
    top = tops[0]
    if f"{top}constants.pkl" in names:
        raise ValueError(
            "a program (TorchScript); save the state_dict() of its module"
        )
    if len(set(names)) < len(names):
        raise ValueError("two entries of the zip file have one name")
    if any(e.compress_type or e.compress_size != e.file_size for e in entries):
        raise ValueError("an entry of the zip file is compressed")

    def read(name: str) -> bytes:
        try:
            return archive.read(top + name)
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error

    order = f"{top}byteorder"
    if order in names and read("byteorder") != b"little":
        raise ValueError("its numbers have their largest byte first")
    tree = read_pickle(io.BytesIO(read("data.pkl")))
    return _listing(tree, lambda key, size: read(f"data/{key}"))


def list_torch_stream(file: BufferedReader) -> Listing:
    """Lists the arrays of an open file of the older format."""
    file.seek(0)
    stream = _Bounded(file)
    for want in (MAGIC, VERSION):
        found = read_pickle(stream)
        if type(found) is not int or found != want:
            raise ValueError("a pickle that torch.save did not write")
    read_pickle(stream)  # sizes of the writer's integers
    stored: list[Stored] = []
    tree, keys = read_pickle(stream, stored), read_pickle(stream)
    sizes = {each.id[2]: item_size(_dtype(each)) for each in stored}
    starts: dict[str, tuple[int, int]] = {}
    end = os.fstat(file.fileno()).st_size
    for key in keys:
        size = int.from_bytes(file.read(8), "little") * sizes[key]
        starts[key] = file.tell(), size
        if file.tell() + size > end:
            raise ValueError("it is cut short")
        file.seek(size, os.SEEK_CUR)

    def read(key: str, size: int) -> bytes:
        start, there = starts[key]
        if there != size:
            raise ValueError(f"storage {key} has not the size that it says")
        file.seek(start)
        return file.read(size)

    return _listing(tree, read)


class _Bounded:
    """A file of which never more is asked for than it has."""

    def __init__(self, file: BufferedReader):
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def read(self, count: int, /) -> bytes:
        return self._file.read(max(0, min(count, self._size)))

    def readline(self) -> bytes:
        return self._file.readline()


def _listing(tree: Any, read: ReadStorage) -> Listing:
    named = (
        ("/".join(p), each)
        for p, each in _tensors(tree, itertools.count(1), ())
    )
    return each_once(
        ((name, _held(name, each, read)) for name, each in named),
        "it holds no arrays by name; a whole module is a program: save its"
        " state_dict()",
    )


def _tensors(
    tree: Any, count: Iterator[int], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields names and the arguments of the calls that would make tensors."""
    if next(count) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")
    if isinstance(tree, Call) and tree.name == PARAMETER:
        tree = tree.arguments[0]
    if isinstance(tree, Call) and tree.name in TENSOR:
        yield path, tree.arguments
    elif isinstance(tree, dict) and len(path) < DEEPEST:
        for key, value in tree.items():
            yield from _tensors(value, count, (*path, str(key)))


def _dtype(storage: Stored) -> str:
    name = storage.id[1].name.removeprefix("torch.").removesuffix("Storage")
    if name not in DTYPES:
        raise ValueError(f"it holds numbers of the type {name}")
    return DTYPES[name]


def _held(name: str, arguments: Any, read: ReadStorage) -> Held:
    """One tensor, every number of it inside its storage."""
    storage, offset = arguments[:2]
    shape, strides = map(whole_numbers, arguments[2:4])
    _, _, key, _, count, *part_of = storage.id
    if any(part_of):  # of the oldest files; its numbers begin elsewhere
        raise ValueError(f"{name} lies in a part of another storage")
    dtype = _dtype(storage)
    (count, offset) = whole_numbers((count, offset))
    steps = zip(shape, strides, strict=True)
    last = offset + sum((side - 1) * step for side, step in steps if side)
    size = math.prod(shape)
    if size > count or (size and last >= count):
        raise ValueError(f"{name} does not fit its storage")

    def read_it() -> np.ndarray:
        data = read(key, count * item_size(dtype))
        if len(data) != count * item_size(dtype):
            raise ValueError(f"the storage of {name} has another size")
        flat = as_numbers(data, dtype)[offset:]
        steps = [step * flat.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(
            flat, shape, steps, writeable=False
        ).copy()

    return Held(shape, dtype, read_it)
