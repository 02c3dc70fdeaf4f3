"""The measured process's side: it answers one request a line.

A request is `{"part": name, "iterations": n}`; the answer is what the part
returns, or `{"error": [line, …], "kind": name}`, the name that of a class of
`kresnet.errors`. The first line, `{}`, says that all is ready. Requests come on
standard input, answers go where standard output went; what libraries print goes
to standard error.
"""

import functools
import json
import os
import sys
import time
from collections.abc import Callable

from kresnet.errors import KresnetError

Part = Callable[[int], dict]

# Everything that a kresnet worker and a reference can be asked for.
PARTS = ("transforms", "forward", "backward", "update", "whole", "host")
CEILINGS = ("product", "copy")


def timed(run: Callable[[int], None]) -> Part:
    """Makes a part of a function that runs n times and waits for the end."""

    def part(iterations: int) -> dict:
        seconds, cpu_seconds = time.perf_counter(), time.process_time()
        run(iterations)
        return {
            "iterations": iterations,
            "seconds": time.perf_counter() - seconds,
            "cpu_seconds": time.process_time() - cpu_seconds,
        }

    return part


def serve(start: Callable[[], dict[str, Part]]) -> None:
    """Answers requests until standard input ends.

    `start` makes everything ready and returns the parts by name: those of
    `PARTS` and `CEILINGS`, and "facts", what there is to know about the
    process.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(work: Callable[[], dict]) -> None:
        try:
            found = work()
        except KresnetError as error:
            lines = str(error).split("\n")
            found = {"error": lines, "kind": type(error).__name__}
        print(json.dumps(found), file=answers, flush=True)

    parts: dict[str, Part] = {}

    def begin() -> dict:
        parts.update(start())
        return {}

    answer(begin)
    for line in sys.stdin:
        request = json.loads(line)
        part = parts[request["part"]]
        answer(functools.partial(part, request["iterations"]))
