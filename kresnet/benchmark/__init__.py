"""How fast training is: each backend, and a reference, by turns.

Importing this imports neither Keras nor its backends: whatever is measured
runs in a process of its own.
"""

from kresnet.benchmark.bench import Benchmark, bench


__all__ = ["Benchmark", "bench"]
