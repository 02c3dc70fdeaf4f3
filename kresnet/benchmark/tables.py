"""What a benchmark says, as tables."""

from rich.table import Table

from kresnet.benchmark.bench import Benchmark
from kresnet.benchmark.report import SPLIT, benchmark_values


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
    unit = "seconds" if clock == "seconds" else "CPU-seconds"
    columns = [_column(s, clock) for s in values["subjects"].values()]
    names = [
        "images/s",
        "CPU-seconds per 1,000 images",
        "  least to most",
        f"of {unit}:",
        *(f"  {name}" for name in SPLIT),
        "host, ms an iteration",
        "ratio of CPU-seconds",
        "  least to most",
        "ratio of seconds",
        "  least to most",
        "times the floor",
    ]
    for row in zip(names, *columns, strict=True):
        table.add_row(*row)
    return table


def _column(subject, clock):
    (ratio,) = (v for k, v in subject.items() if k.startswith("ratio_to_"))
    yield f"{subject['images_per_second']:,.0f}"
    yield f"{subject['cpu_seconds_per_1000_images']:.3g}"
    yield _range(subject["cpu_seconds_spread"])
    yield ""
    for value in subject["split"][clock].values():
        yield f"{value:.3f}"
    yield f"{1_000 * subject['host_seconds_per_iteration'][clock]:.2f}"
    for measure in ("cpu_seconds", "seconds"):
        yield f"{ratio[measure]['median']:.3f}"
        yield _range(ratio[measure])
    yield f"{subject['of_floor'][clock]:.2f}"


def _range(spread):
    return f"{spread['least']:.3f} to {spread['most']:.3f}"


def _limits(values, clock, title):
    rates, floors = values["machine"][clock], values["floor_per_1000_images"]
    per = "second" if clock == "seconds" else "CPU-second"
    table = Table(
        "",
        f"a {per}",
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
