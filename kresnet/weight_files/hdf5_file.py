"""Arrays of Keras' HDF5 files: `.weights.h5`, and the older `.h5`.

In a `.weights.h5` layers are numbered by their kind; a layer's own name is the
attribute `name` of its group `vars`, in which arrays are numbered too.
"""

import itertools
import math
import re
from collections.abc import Iterator

import h5py
import numpy as np

from kresnet.weight_files.held import Held, Listing, each_once

# Groups in groups; keras-hub's tasks have about ten.
DEEPEST = 32
MOST_OBJECTS = 100_000
# Deflate, shuffle and checksums. Another filter may be a program.
FILTERS = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
}
# Bytes of a chunk of a compressed array that is smaller.
LARGEST_CHUNK = 2**24
# What Keras' layers have, in the order of their numbers, by how many.
ORDER = {
    1: ("kernel",),
    2: ("kernel", "bias"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}
# The published files of VGG are of Keras 1: block1_conv1_W_1:0.
KERAS_1 = {"W": "kernel", "b": "bias"}


def list_hdf5(file: h5py.File) -> Listing:
    """Lists the arrays of an open file; errors as of `explained`.

    An array is called by its layer and its own name, such as
    "conv1_conv/kernel", after the groups around the layer.
    """
    named = (
        ("/".join(_named(file, path)), dataset)
        for path, dataset in _datasets(file, (), itertools.count(1), set())
    )
    arrays = ((name, _held(name, dataset)) for name, dataset in named)
    return each_once(arrays, "it holds no arrays")


def _datasets(
    group: h5py.Group, path: tuple[str, ...], count: Iterator[int], above: set
) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    address = h5py.h5o.get_info(group.id).addr
    if len(path) > DEEPEST or address in above:
        raise ValueError("its groups lie in each other too deep")
    for name in group:
        if next(count) > MOST_OBJECTS:
            raise ValueError(f"it has more than {MOST_OBJECTS:,} objects")
        here = (*path, name)
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{'/'.join(here)} is a link to elsewhere")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, here, count, above | {address})
        elif isinstance(item, h5py.Dataset):
            yield here, item


def _named(file: h5py.File, path: tuple[str, ...]) -> tuple[str, ...]:
    """What an array is called, from the groups that it lies in."""
    if path[0] == "optimizer":  # its variables are numbered and are no layer's
        return path
    if len(path) >= 2 and path[-2] == "vars":
        return _numbered(file["/".join(path[:-1])], path)
    *around, layer, array = path if len(path) > 1 else ("", *path)
    if layer in around:  # older: conv1/conv1/kernel:0, or a model between them
        around = around[: around.index(layer)]
    return (*filter(None, around), layer, _own_name(layer, array))


def _own_name(layer: str, array: str) -> str:
    """The name of an array; Keras 1 put that of its layer before it."""
    own = array.removesuffix(":0")
    found = re.fullmatch(rf"{re.escape(layer)}_([Wb])(_\d+)?", own)
    return KERAS_1[found[1]] if found else own


def _numbered(group: h5py.Group, path: tuple[str, ...]) -> tuple[str, ...]:
    *around, layer, _, number = path
    own = group.attrs.get("name", layer)
    own = own.decode() if isinstance(own, bytes) else own
    if not isinstance(own, str):
        raise ValueError(f"the name of {'/'.join(path[:-1])} is no text")
    names, at = ORDER.get(len(group), ()), number
    if number.isdecimal() and int(number) < len(names):
        at = names[int(number)]
    if around and around[-1] == "layers":
        around.pop()
    return (*around, own, at)


def _held(name: str, dataset: h5py.Dataset) -> Held:
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"the numbers of {name} lie in another file")
    shape, dtype = dataset.shape, dataset.dtype
    if shape is None or dtype.kind not in "fiub":
        raise ValueError(f"{name} holds no numbers")
    made = dataset.id.get_create_plist()
    filters = {made.get_filter(i)[0] for i in range(made.get_nfilters())}
    if filters - FILTERS:
        raise ValueError(f"{name} is compressed in a way that is not read here")
    size = math.prod(shape) * dtype.itemsize
    stored = dataset.id.get_storage_size()
    chunk = math.prod(dataset.chunks or ()) * dtype.itemsize
    if (not dataset.chunks and stored != size) or (size and not stored):
        raise ValueError(f"{name} has {stored:,} bytes of the {size:,} it says")
    if chunk > max(size, LARGEST_CHUNK):
        raise ValueError(f"{name} has chunks of {chunk:,} bytes")

    def read() -> np.ndarray:
        array = np.asarray(dataset[()])
        kind = "f4" if array.dtype.itemsize == 2 and dtype.kind == "f" else None
        return array.astype(kind or array.dtype.newbyteorder("="))

    return Held(tuple(shape), dtype.newbyteorder("=").name, read)
