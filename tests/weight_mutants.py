"""Files of weights with a few bytes changed, and what reading them comes to."""

import math
import os
import random
import sys
from collections import Counter
from pathlib import Path

# Arrays of a mutant that are read are at most so large.
MOST = 1_000_000


def mutants(data, count, seed=0):
    """Yields copies with bits flipped, bytes moved or changed, ends lost."""
    rng = random.Random(seed)
    for _ in range(count):
        mutant = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 8])):
            change(mutant, rng)
        yield bytes(mutant)


def change(mutant, rng):
    if not mutant:
        return
    at, kind = rng.randrange(len(mutant)), rng.randrange(5)
    if kind == 0:
        mutant[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        mutant[at] = rng.choice([0, 1, 127, 128, 255])
    elif kind == 2:
        del mutant[at:]
    elif kind == 3:
        mutant[at : at + 8] = rng.randrange(2**64).to_bytes(8, "little")
    else:
        other = rng.randrange(len(mutant))
        mutant[at : at + 16] = mutant[other : other + 16]


def read_all(path):
    """Reads a file's arrays and says how it ended; raises what is a bug."""
    from kresnet.errors import BadDataError
    from kresnet.weight_files import open_files

    try:
        with open_files([path]) as held:
            for each in held.values():
                if math.prod(each.shape) <= MOST:
                    assert each.read().shape == each.shape
    except BadDataError:
        return "refused"
    return "read"


def read_hdf5_in_forks(source, folder, count):
    """The child that reads HDF5, forked for each mutant: how each ended."""
    import json

    import h5py  # noqa: F401

    from kresnet.weight_files import hdf5_file, hdf5_process  # noqa: F401

    ends = Counter()
    path = Path(folder, "mutant")
    for mutant in mutants(Path(source).read_bytes(), count):
        path.write_bytes(mutant)
        if not (child := os.fork()):
            hdf5_process.limit(2)
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
                names = folder_names(path, hdf5_process)
                requests = [json.dumps(name).encode() for name in names]
                hdf5_process.serve(str(path), requests, nowhere)
            os._exit(0 if names else 1)
        ends[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
    return ends


def folder_names(path, hdf5_process):
    """What the child would list, to ask for all of it."""
    import io
    import json

    answers = io.BytesIO()
    hdf5_process.serve(str(path), [], answers)
    listed = json.loads(answers.getvalue())
    return [
        name
        for name, (shape, _) in listed.get("arrays", {}).items()
        if len(shape) < 5 and max(shape, default=0) < 1_000
    ]


if __name__ == "__main__":
    print(dict(read_hdf5_in_forks(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
