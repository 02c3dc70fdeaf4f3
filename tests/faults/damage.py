"""Damage to files: flipped bits and lost ends."""

import contextlib


def flip(path, generator):
    """Flips one bit of a file, anywhere."""
    content = bytearray(path.read_bytes())
    bit = int(generator.integers(8 * len(content)))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def truncate(path, generator):
    """Cuts a file anywhere, down to nothing."""
    content = path.read_bytes()
    path.write_bytes(content[: int(generator.integers(len(content)))])


def some_file(folder, generator):
    """One of the files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return files[int(generator.integers(len(files)))]


@contextlib.contextmanager
def hurt(path, kind, generator):
    """Damages a file, and puts its content back."""
    sound = path.read_bytes()
    kind(path, generator)
    try:
        yield
    finally:
        path.write_bytes(sound)
