"""How fast training is: each backend, and a reference, by turns.

Each of them runs in a process of its own.
"""

from kresnet.benchmark.bench import Benchmark, bench
from kresnet.benchmark.numbers import (
    benchmark_tables,
    benchmark_values,
    write_values,
)

__all__ = [
    "Benchmark",
    "bench",
    "benchmark_tables",
    "benchmark_values",
    "write_values",
]
