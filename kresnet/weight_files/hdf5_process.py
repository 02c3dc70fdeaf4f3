"""HDF5 files are read in a process of their own.

HDF5's library can run without end, or crash, on a damaged file: of 3,000 files
with flipped bytes one did. So a child process reads the file, within limits of
time; what it lists and reads comes through pipes. However it ends, this process
says so in one sentence and goes on.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

import kresnet
from kresnet.weight_files.held import (
    Held,
    Listing,
    explained,
    item_size,
    whole_numbers,
)

# Processor seconds to start and to list, and bytes read in each second more.
SECONDS = 20
BYTES_PER_SECOND = 2**23


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[Listing]:
    """Lists the arrays of a file; they can be read inside the `with`.

    Raises:
        ValueError: It is damaged, or what its numbers are lies elsewhere.
    """
    seconds = SECONDS + path.stat().st_size // BYTES_PER_SECOND
    # The folders that this process imports from, and kresnet's.
    folders = [*filter(None, sys.path), str(Path(kresnet.__file__).parents[1])]
    with subprocess.Popen(
        # -P and the path: no module is taken from the working directory.
        [sys.executable, "-P", "-m", __name__, str(path), str(seconds)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        try:
            yield _listing(
                cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout)
            )
        finally:
            child.kill()


def _listing(requests: IO[bytes], answers: IO[bytes]) -> Listing:
    found = _answer(answers)

    def reader(name: str, shape: tuple[int, ...], dtype: str):
        def read() -> np.ndarray:
            try:
                requests.write(f"{json.dumps(name)}\n".encode())
                requests.flush()
            except BrokenPipeError:
                raise _ended() from None
            _answer(answers)
            size = int(np.prod(shape, dtype=object)) * item_size(dtype)
            data = answers.read(size)
            if len(data) < size:
                raise _ended()
            return np.frombuffer(data, dtype).reshape(shape)

        return read

    listing = {}
    for name, (shape, dtype) in found["arrays"].items():
        sides = whole_numbers(shape)
        wide = "float32" if dtype == "float16" else dtype
        listing[name] = Held(sides, dtype, reader(name, sides, wide))
    return listing


def _answer(answers: IO[bytes]) -> dict:
    line = answers.readline()
    if not line.endswith(b"\n"):
        raise _ended()
    found = json.loads(line)
    if "error" in found:
        raise ValueError(found["error"])
    return found


def _ended() -> ValueError:
    return ValueError("HDF5's library did not come to an end of it")


def serve(path: str, requests: IO[bytes], answers: IO[bytes]) -> None:
    """What the child does: lists a file, then reads what it is asked for."""
    import h5py

    from kresnet.weight_files.hdf5_file import list_hdf5

    def say(**content) -> None:
        answers.write(f"{json.dumps(content)}\n".encode())
        answers.flush()

    try:
        with explained(Path(path)), h5py.File(path, "r", locking=False) as file:
            listing = list_hdf5(file)
            say(arrays={k: (v.shape, v.dtype) for k, v in listing.items()})
            for line in requests:
                array = listing[json.loads(line)].read()
                say()
                answers.write(np.ascontiguousarray(array).tobytes())
                answers.flush()
    except Exception as error:
        say(error=str(error.__cause__ or error))


def limit(seconds: int) -> None:
    """Ends this process after so many seconds of a processor."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    limit(int(sys.argv[2]))
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
