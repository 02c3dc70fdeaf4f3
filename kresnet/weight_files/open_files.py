"""Opens files of weights, whatever their format; says what is in them."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path

from kresnet.errors import BadDataError, SpecError, read_error
from kresnet.files import open_plain_file
from kresnet.weight_files.hdf5_process import open_hdf5
from kresnet.weight_files.held import Held, Listing, explained
from kresnet.weight_files.safetensors_file import list_index, list_safetensors
from kresnet.weight_files.torch_file import list_torch_stream, list_torch_zip

ZIP = b"PK\3\4"
HDF5 = b"\x89HDF\r\n\x1a\n"
PICKLE = b"\x80\x02"


@contextlib.contextmanager
def open_files(paths: Sequence[str | os.PathLike[str]]) -> Iterator[Listing]:
    """Lists the arrays of files; they can be read inside the `with`.

    The format is found by the content: safetensors (also an index of several
    files), HDF5 of Keras, or either format of `torch.save`. Names, shapes and
    types are known before any array is read.

    Args:
        paths: The files; together they hold each name once.

    Raises:
        BadDataError: A file is none of these, damaged, or holds a name that
            another one has.
        InputMissingError: It is not there, or may not be read.
        SpecError: It is a folder.
    """
    found: Listing = {}
    with contextlib.ExitStack() as stack:
        for path in map(Path, paths):
            for name, held in _listed(path, stack).items():
                if name in found:
                    raise BadDataError(
                        f"{path}: holds {name}, as another of the files does;"
                        " files of one network have each name once"
                    )
                found[name] = held
        yield found


def with_shards(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Files, and behind an index those that it names; errors as above."""
    found = []
    for path in map(Path, paths):
        found.append(path)
        with contextlib.ExitStack() as stack:
            file = _opened(path, stack)
            with explained(path):
                if _is_index(file.read(16)):
                    found += _beside(path, list_index(file))
    return found


def _is_index(start: bytes) -> bool:
    """Whether a file begins as JSON; that of safetensors begins later."""
    return start.startswith(b"{") and start[8:9] != b"{"


def _beside(path: Path, named: dict[str, str]) -> list[Path]:
    return [path.parent / name for name in sorted(set(named.values()))]


def _listed(
    path: Path, stack: contextlib.ExitStack, of_index: bool = False
) -> Listing:
    file = _opened(path, stack)
    with explained(path):
        start = file.read(16)
        if not start:
            raise ValueError("it is empty")
        if start.startswith(HDF5):
            return _reading(path, stack.enter_context(open_hdf5(path)))
        if start.startswith(ZIP):
            return _reading(path, list_torch_zip(file))
        if start.startswith(PICKLE):
            return _reading(path, list_torch_stream(file))
        if start[8:9] == b"{":
            return _reading(path, list_safetensors(file))
        if of_index or not _is_index(start):
            raise ValueError(
                "it is neither safetensors nor HDF5, nor written by torch.save"
            )
        named = list_index(file)
    shards = {
        shard.name: _listed(shard, stack, of_index=True)
        for shard in _beside(path, named)
    }
    for name, shard in named.items():
        if name not in shards[shard]:
            raise BadDataError(f"{path}: {name} is not in {shard}")
    return {name: shards[shard][name] for name, shard in named.items()}


def _opened(path: Path, stack: contextlib.ExitStack) -> BufferedReader:
    try:
        if path.is_dir():
            raise SpecError(f"{path}: must be a file. Received: a folder")
        return stack.enter_context(open_plain_file(path))
    except ValueError as error:
        raise BadDataError(f"{path}: {error}") from error
    except OSError as error:
        raise read_error(path, error) from error


def _reading(path: Path, listing: Listing) -> Listing:
    """The same arrays; what is wrong on reading them names the file."""

    def guarded(held: Held) -> Held:
        def read():
            with explained(path):
                return held.read()

        return held._replace(read=read)

    return {name: guarded(held) for name, held in listing.items()}
