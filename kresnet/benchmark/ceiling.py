"""What the machine can do at most: one matrix product, one copy."""

from keras import ops

from kresnet.benchmark.floor import BYTES
from kresnet.benchmark.serving import Part, timed

# Large enough that nothing else counts; accelerators need more.
SIDE = {"cpu": 2_048, "gpu": 8_192}
MIB = {"cpu": 256, "gpu": 4_096}


def ceilings(kind: str, dtype: str) -> tuple[dict, dict[str, Part]]:
    """Parts that measure the machine, and what one iteration of each is.

    Args:
        kind: "cpu" or "gpu".
        dtype: Of the numbers.

    Returns:
        Operations of a product (a multiply-add is two) and bytes, read and
        written, of a copy; the two parts.
    """
    side = SIDE[kind]
    size = MIB[kind] * 2**20 // BYTES[dtype]
    held = {}

    def product(iterations: int) -> None:
        if "product" not in held:
            held["product"] = ops.ones((side, side), dtype)
        for _ in range(iterations):
            result = ops.matmul(held["product"], held["product"])
        float(result[0, 0])

    def copy(iterations: int) -> None:
        if "copy" not in held:
            held["copy"] = ops.ones((size,), dtype)
        for _ in range(iterations):
            result = ops.add(held["copy"], 1)
        float(result[0])

    counts = {
        "product_operations": 2 * side**3,
        "copy_bytes": 2 * MIB[kind] * 2**20,
    }
    return counts, {"product": timed(product), "copy": timed(copy)}
