"""Damaged photos; each function raises if anything was wrong."""

import io
import os
import shutil
import struct
import zlib

import numpy as np
import photo_folder
from faults import damage
from faults.data import cache_below
from PIL import Image

import kresnet
from kresnet.data import open_source
from kresnet.data.survey import survey
from kresnet.errors import BadDataError
from kresnet.prediction import predict
from kresnet.spec import load_spec


def _empty(path, generator):
    path.write_bytes(b"")


def _text(path, generator):
    path.write_text("This is no image.\n" * int(generator.integers(1, 99)))


def _zeros(path, generator):
    path.write_bytes(bytes(path.stat().st_size))


def _noise(path, generator):
    path.write_bytes(generator.bytes(path.stat().st_size))


def _cut(path, generator):
    """Between the header and the last eighth, where pixels are missing."""
    content = path.read_bytes()
    share = generator.uniform(0.02, 0.875)
    path.write_bytes(content[: int(share * len(content))])


def _beginning(path, generator):
    path.write_bytes(generator.bytes(16) + path.read_bytes()[16:])


def _other_format(path, generator):
    written = io.BytesIO()
    Image.new("RGB", (40, 30)).save(written, str(generator.choice(KINDS)))
    path.write_bytes(written.getvalue())


def _bomb(path, generator):
    """A PNG of a few bytes that says it has a thousand million pixels."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 40_000, 30_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(99))),
        (b"IEND", b""),
    )
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        sum_of = zlib.crc32(name + body)
        content += struct.pack(">I", len(body)) + name + body
        content += struct.pack(">I", sum_of)
    path.write_bytes(content)


def _folder(path, generator):
    path.unlink()
    path.mkdir()


def _pipe(path, generator):
    """Who opened it would wait for ever."""
    path.unlink()
    os.mkfifo(path)


KINDS = ("PPM", "TIFF", "ICO")
BEYOND_USE = {
    "empty": _empty,
    "text": _text,
    "zeros": _zeros,
    "noise": _noise,
    "cut": _cut,
    "another beginning": _beginning,
    "another format": _other_format,
    "a bomb": _bomb,
    "a folder": _folder,
    "a pipe": _pipe,
}


def beyond_use(folder, times, generator):
    """Photos that no longer are any: trained on, verified and predicted.

    Returns:
        How many there were of each kind.
    """
    root, spec = _made(folder)

    def train(out):
        return kresnet.train(spec, folder / out, overrides=SHORT, data_dir=root)

    run = train("run")
    counts = dict.fromkeys(BEYOND_USE, 0)
    files = sorted((root / "train").rglob("*.*"))
    with cache_below(folder):
        for i in range(times):
            kind = list(BEYOND_USE)[i % len(BEYOND_USE)]
            path = files[int(generator.integers(len(files)))]
            sound = path.read_bytes()
            BEYOND_USE[kind](path, generator)
            found = survey(root, verify=True)
            if [p for p, _ in found.broken] != [str(path)] or found.sums:
                raise AssertionError(f"{kind}: {path} was not found alone")
            _check_predicted(run, path, files)
            _check_refused(path, lambda: train("other"))
            shutil.rmtree(folder / "other", ignore_errors=True)
            counts[kind] += 1
            path.rmdir() if path.is_dir() else path.unlink()
            path.write_bytes(sound)
        _read_all(spec, root)
    return counts


def silent_flips(folder, times, generator):
    """One bit of a photo is flipped, and the sums of all are stored.

    Returns:
        How many of them decoded without a word.
    """
    root, spec = _made(folder)
    files = sorted((root / "train").rglob("*.*"))
    silent = 0
    with cache_below(folder):
        if not survey(root, verify=True).sums:
            raise AssertionError("no sums were stored")
        for _ in range(times):
            path = files[int(generator.integers(len(files)))]
            with damage.hurt(path, damage.flip, generator):
                _check_refused(path, lambda: _read_all(spec, root))
                try:
                    broken = survey(root, verify=True).broken
                except BadDataError:  # decoded, and the sum is another
                    silent += 1
                else:
                    if [name for name, _ in broken] != [str(path)]:
                        raise AssertionError(f"{path} was not found alone")
        _read_all(spec, root)
    return silent


# An epoch, and a little more.
SHORT = ["training.iterations=4", "training.learning_rate.at=[1]"]


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    root = photo_folder.write_photos(folder / "photos")
    return root, photo_folder.write_spec(folder / "photos.yaml")


def _read_all(spec, root):
    """Reads the training images as a training does, by any keys."""
    source = open_source(load_spec(spec), root)
    count = len(source.labels("train"))
    return source.read("train", np.arange(count), np.arange(count, dtype="u8"))


def _check_predicted(run, path, files):
    sound = next(file for file in files if file != path)
    bad, good = predict(run, [path, sound])
    if getattr(bad.error, "exit_code", None) != 65 or good.error:
        raise AssertionError(f"{path} was predicted: {bad}, {good}")


def _check_refused(path, use):
    try:
        use()
    except BadDataError as error:
        if str(path) not in str(error) or error.exit_code != 65:
            raise AssertionError(f"{path} not named: {error}") from error
    else:
        raise AssertionError(f"damage to {path} was not found")
