"""What a benchmark says, in numbers."""

import json
import statistics
from pathlib import Path

from kresnet.benchmark.bench import REFERENCE, Benchmark
from kresnet.benchmark.floor import BYTES, bytes_moved, operations
from kresnet.errors import write_error
from kresnet.files import replace_file

CLOCKS = ("seconds", "cpu_seconds")
# A row of the split, and the parts whose difference it is.
SPLIT = {
    "transforms": ("transforms", None),
    "forward": ("forward", "transforms"),
    "backward": ("backward", "forward"),
    "update": ("update", "backward"),
    "loop": ("whole", "update"),
}


def benchmark_values(found: Benchmark) -> dict:
    """Everything measured and what follows from it, as JSON values.

    Times are per 1,000 images, medians over the rounds. A ratio is one to the
    reference in the same round, or to the first subject where there is no
    reference. `of_floor` is how many times the floor a subject takes.
    """
    spec = found.spec
    floors = _floors(found)
    subjects = {}
    base = REFERENCE if REFERENCE in found.rounds else next(iter(found.rounds))
    for name, parts in found.rounds.items():
        whole = {c: _per_1000(found, name, "whole", c) for c in CLOCKS}
        subjects[name] = {
            "images_per_second": 1_000 / whole["seconds"],
            "seconds_per_1000_images": whole["seconds"],
            "cpu_seconds_per_1000_images": whole["cpu_seconds"],
            "cpu_seconds_spread": _spread(
                [_of(found, r, "cpu_seconds") for r in parts["whole"]]
            ),
            "split": {c: _split(found, name, c) for c in CLOCKS},
            "host_seconds_per_iteration": {
                c: statistics.median(
                    r[c] / r["iterations"] for r in parts["host"]
                )
                for c in CLOCKS
            },
            f"ratio_to_{base}": {
                c: _ratio(found, name, base, c) for c in CLOCKS
            },
            "of_floor": {c: whole[c] / max(floors[c].values()) for c in CLOCKS},
        }
    return {
        "spec": spec.name,
        "batch_size": spec.training.batch_size,
        "precision": found.precision,
        "load_average": found.load,
        "machine": {c: _rates(found, c) for c in CLOCKS},
        "floor_per_1000_images": floors,
        "subjects": subjects,
        "facts": found.facts,
        "rounds": found.rounds,
    }


def _of(found, round_, clock):
    """Of one round, per 1,000 images."""
    images = round_["iterations"] * found.spec.training.batch_size
    return 1_000 * round_[clock] / images


def _per_1000(found, name, part, clock):
    return statistics.median(
        _of(found, r, clock) for r in found.rounds[name][part]
    )


def _split(found, name, clock):
    def of(part):
        return _per_1000(found, name, part, clock) if part else 0.0

    return {row: of(upper) - of(lower) for row, (upper, lower) in SPLIT.items()}


def _ratio(found, name, base, clock):
    pairs = zip(
        found.rounds[name]["whole"], found.rounds[base]["whole"], strict=True
    )
    return _spread(
        [_of(found, a, clock) / _of(found, b, clock) for a, b in pairs]
    )


def _spread(numbers):
    return {
        "median": statistics.median(numbers),
        "least": min(numbers),
        "most": max(numbers),
    }


def _rates(found, clock):
    """The machine at its best: any subject's, any round's."""

    def best(part, count):
        return max(
            found.facts[name][count] * r["iterations"] / r[clock]
            for name, parts in found.rounds.items()
            for r in parts[part]
        )

    return {
        "operations": best("product", "product_operations"),
        "bytes": best("copy", "copy_bytes"),
    }


def _floors(found):
    spec = found.spec
    per_1000 = 1_000 / spec.training.batch_size
    moved = bytes_moved(spec, BYTES[found.precision])
    floors = {}
    for clock in CLOCKS:
        rates = _rates(found, clock)
        floors[clock] = {
            "operations": per_1000 * operations(spec) / rates["operations"],
            "bytes": per_1000 * moved / rates["bytes"],
        }
    return floors


def write_values(path: Path, values: list[dict]) -> None:
    """Writes what `benchmark_values` returned, one entry per spec.

    Raises:
        KresnetError: The file cannot be written.
    """
    try:
        replace_file(path, json.dumps(values, indent=1) + "\n")
    except OSError as error:
        raise write_error(path, error) from error
