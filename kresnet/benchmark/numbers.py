"""The numbers of a benchmark: as values and as tables."""

import json
import statistics
from pathlib import Path

from rich.table import Table

from kresnet.benchmark.bench import REFERENCE, Benchmark
from kresnet.benchmark.floor import BYTES, bytes_moved, operations
from kresnet.files import replace_file


def benchmark_tables(found: Benchmark) -> list[Table]:
    """Speeds with their split and ratios, and the machine's limit.

    The split is in CPU-seconds on a CPU, since others may share it; with an
    accelerator in seconds.
    """
    values = benchmark_values(found)
    accelerated = any(f["accelerated"] for f in found.facts.values())
    clock = "seconds" if accelerated else "cpu_seconds"
    title = (
        f"{found.spec.name}, batch {found.spec.training.batch_size}, "
        f"{found.precision}"
    )
    return [_speeds(values, clock, title), _limits(values, clock, title)]


def _speeds(values, clock, title):
    table = Table("", *values["subjects"], title=title)
    columns = [_column(s, clock) for s in values["subjects"].values()]
    for rows in zip(*columns, strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    return table


def _column(subject, clock):
    """The names of the rows, and what a subject has there."""
    (ratio,) = (v for k, v in subject.items() if k.startswith("ratio_to_"))
    spread = "  least to most"
    yield "images/s", f"{subject['images_per_second']:,.0f}"
    cost = f"{subject['cpu_seconds_per_1000_images']:.3g}"
    yield "CPU-seconds per 1,000 images", cost
    yield spread, _range(subject["cpu_seconds_spread"])
    yield f"of {UNITS[clock]}:", ""
    for name, value in subject["split"][clock].items():
        yield f"  {name}", f"{value:.3f}"
    host = 1_000 * subject["host_seconds_per_iteration"][clock]
    yield "host, ms an iteration", f"{host:.2f}"
    for measure in ("cpu_seconds", "seconds"):
        yield f"ratio of {UNITS[measure]}", f"{ratio[measure]['median']:.3f}"
        yield spread, _range(ratio[measure])
    yield "times the floor", f"{subject['of_floor'][clock]:.2f}"


def _range(spread):
    return f"{spread['least']:.3f} to {spread['most']:.3f}"


def _limits(values, clock, title):
    rates, floors = values["machine"][clock], values["floor_per_1000_images"]
    table = Table(
        "",
        f"a {UNITS[clock].removesuffix('s')}",
        "least per 1,000 images",
        title=f"{title}: the machine's limit",
    )
    for name, unit in (("operations", "G"), ("bytes", "GB")):
        table.add_row(
            name,
            f"{rates[name] / 1e9:,.1f} {unit}",
            f"{floors[clock][name]:.3f}",
        )
    return table


UNITS = {"seconds": "seconds", "cpu_seconds": "CPU-seconds"}
CLOCKS = tuple(UNITS)
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
    """What a round took for 1,000 images."""
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
    """The machine at its best, in any round of any subject."""

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
    """Writes what `benchmark_values` returned, one entry per spec."""
    replace_file(path, json.dumps(values, indent=1) + "\n")
