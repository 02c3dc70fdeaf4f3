"""What differs between two specs or runs, as text."""

import difflib
from collections.abc import Iterator
from typing import Any

from kresnet.architecture import Census, aligned, census
from kresnet.records.run import RunRecord
from kresnet.spec import Spec, differing_fields

# Fields of a record: how far a run came and on what. Its clocks say nothing.
RUN_FIELDS = {
    "status",
    "iteration",
    "warm_up_ended_at",
    "test_error",
    "best_validation",
    "options",
    "versions",
    "hardware",
}

# In the table: a row that one network lacks, and the columns of numbers.
ABSENT = ("", "", "", "")
NUMBERS = (4, 5, 8, 9)

Described = tuple[Spec, RunRecord | None]


def difference(a: Described, b: Described) -> str:
    """Lists the fields that differ and both networks, side by side.

    Beside a spec stands what run.json says for a run.
    """
    (old, before), (new, now) = a, b
    fields = differing_fields(old, new)
    lines = fields or ["the specs are the same"]
    if before is not None and now is not None:
        others = before.identity.with_spec(old).differences(
            now.identity.with_spec(new)
        )
        found = [
            *(f"run.{line}" for line in others if line not in fields),
            *_other_values(
                before.model_dump(mode="json", include=RUN_FIELDS),
                now.model_dump(mode="json", include=RUN_FIELDS),
                "run",
            ),
        ]
        lines = [*lines, "", *(found or ["the runs are the same"])]
    return "\n".join([*lines, "", *_censuses(old, new)])


def _other_values(old: dict, new: dict, path: str) -> Iterator[str]:
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        here = f"{path}.{name}"
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _other_values(before, after, here)
        elif before != after:
            yield f"{here}: {_word(before)} -> {_word(after)}"


def _word(value: Any) -> str:
    text = "(absent)" if value is None else str(value)
    return text if text.isprintable() else repr(text)


def _censuses(old: Spec, new: Spec) -> list[str]:
    """A line for every row of either network, and the totals."""
    left, right = _cells(census(old.model)), _cells(census(new.model))
    header = ("block", "output", "parameters", "multiply-adds")
    rows: list[tuple[str, ...]] = [("", "name", *header, *header)]
    for name in _merged(list(left), list(right)):
        pair = left.get(name, ABSENT), right.get(name, ABSENT)
        mark = "" if pair[0] == pair[1] else "≠"
        rows.append((mark, name, *pair[0], *pair[1]))
    lines = []
    for cells in aligned(rows, NUMBERS):
        parts = cells[:2], cells[2:6], cells[6:]
        lines.append(" | ".join("  ".join(part) for part in parts).rstrip())
    return lines


def _merged(old: list[str], new: list[str]) -> Iterator[str]:
    """The names of both, each once, in an order that fits both."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, i, j, k, end in matcher.get_opcodes():
        yield from old[i:j]
        if kind != "equal":
            yield from new[k:end]


def _cells(counted: Census) -> dict[str, tuple[str, ...]]:
    """Block, output, parameters and multiply-adds of every row, by name."""
    cells: dict[str, tuple[str, ...]] = {
        row.name: (
            row.kind,
            "×".join(map(str, row.output)),
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
        )
        for row in counted.rows
    }
    cells["total"] = (
        f"{counted.layers:,} layers",
        "",
        f"{counted.parameters:,}",
        f"{counted.multiply_adds:,}",
    )
    return cells
