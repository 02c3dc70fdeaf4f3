"""PNG files of every kind, which Pillow itself does not write."""

import struct
import zlib

import numpy as np

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}
# Of Adam7: first column and row, steps.
PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)


def chunk(name, body):
    checked = name + body
    length, total = struct.pack(">I", len(body)), zlib.crc32(checked)
    return length + checked + struct.pack(">I", total)


def png(width, height, bits, colour, data, more=b"", interlaced=False):
    """A PNG file of compressed data, chunk by chunk."""
    header = struct.pack(
        ">IIBBBBB", width, height, bits, colour, 0, 0, interlaced
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + more
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def png_of(values, bits, colour, more=b"", interlaced=False):
    """A PNG file of integers `(height, width, channels)`."""
    height, width = values.shape[:2]
    parts = [values]
    if interlaced:
        parts = [values[y::b, x::a] for x, y, a, b in PASSES]
    rows = [b"\0" + _packed(row, bits) for part in parts for row in part]
    data = zlib.compress(b"".join(rows))
    return png(width, height, bits, colour, data, more, interlaced)


def _packed(row, bits):
    if bits == 16:
        return row.astype(">u2").tobytes()
    every = row.reshape(-1, 1) >> np.arange(bits - 1, -1, -1) & 1
    return np.packbits(every.astype("uint8").reshape(-1)).tobytes()
