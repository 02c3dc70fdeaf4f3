"""The runs of a report: repetitions of one experiment put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kresnet.errors import KresnetError
from kresnet.explain.run import FLOAT32, precision, progress
from kresnet.files import number, part_of
from kresnet.printable import printable
from kresnet.records.run import RecordedRun, read_recorded_run
from kresnet.reporting.found_runs import find_runs
from kresnet.reporting.proxy import is_proxy, named
from kresnet.spec import (
    CHANGEABLE,
    Spec,
    differing_fields,
    load_spec,
    recipe_digest,
    shipped_specs,
)


@dataclass(frozen=True)
class LeftOut:
    """A run that is in no average, and why.

    Attributes:
        folder: Path of the run folder, or of one that cannot be looked into.
        reason: How it ended, or what is wrong with it.
    """

    folder: Path
    reason: str


@dataclass
class Group:
    """Runs of one experiment; they differ by their seeds.

    That is: of one recipe, on the same data, in the same precision, and from
    weights of the same origin.

    Attributes:
        label: The spec's name, and what else tells groups apart.
        spec: As run by the first of them.
        finished: Runs that are averaged, one for each seed.
        unfinished: Runs that ended early or are not done.
        proxy: Whether one was trained for less than was meant.
    """

    label: str
    spec: Spec
    finished: list[RecordedRun] = field(default_factory=list)
    unfinished: list[RecordedRun] = field(default_factory=list)
    proxy: bool = False

    @property
    def runs(self) -> list[RecordedRun]:
        """The finished ones, then the others."""
        return [*self.finished, *self.unfinished]

    @property
    def shown(self) -> str:
        """Its name in figures."""
        return named(self.label, self.proxy)

    @property
    def changes(self) -> list[str]:
        """Fields in which it differs from the shipped spec of its name."""
        if self.spec.name not in shipped_specs():
            return []
        return [
            line
            for line in differing_fields(load_spec(self.spec.name), self.spec)
            if line.partition(": ")[0] not in CHANGEABLE
        ]


@dataclass(frozen=True)
class ReportedRuns:
    """What a report is about.

    Attributes:
        groups: In the order in which their first runs were named or found.
        left_out: Runs in no average.
    """

    groups: list[Group]
    left_out: list[LeftOut]


def read_runs(paths: Sequence[Path | str]) -> ReportedRuns:
    """Reads runs, and folders with runs somewhere below them.

    A run that cannot be read, is not finished, or repeats a seed is left out
    of the averages and listed.

    Raises:
        InputMissingError: A path does not exist, or has no run.
    """
    groups: dict[tuple[str, ...], Group] = {}
    left_out: list[LeftOut] = []
    for folder in find_runs(
        paths, lambda path, why: left_out.append(LeftOut(path, why))
    ):
        try:
            run = read_recorded_run(folder)
            proxy = is_proxy(run)
        except KresnetError as error:
            left_out.append(LeftOut(folder, str(error).replace("\n", "; ")))
            continue
        group = groups.setdefault(_key(run), Group(_label(run), run.spec))
        reason = _against(run, group)
        if reason is None:
            group.finished.append(run)
        else:
            left_out.append(LeftOut(folder, reason))
            if not run.finished:
                group.unfinished.append(run)
        group.proxy = group.proxy or proxy
    _tell_apart(groups.values())
    for group in groups.values():
        group.finished.sort(key=lambda run: run.seed)
    return ReportedRuns(list(groups.values()), left_out)


def _key(run: RecordedRun) -> tuple[str, ...]:
    """Equal for runs of one experiment."""
    return (
        recipe_digest(run.spec),
        str(run.info.get("data_fingerprint")),
        str(part_of(run.info, "deepened", "spec_digest")),
        precision(run.info),
    )


def _label(run: RecordedRun) -> str:
    computed_in = precision(run.info)
    name = run.spec.name
    return (
        name if computed_in == FLOAT32 else f"{name}, {printable(computed_in)}"
    )


def _against(run: RecordedRun, group: Group) -> str | None:
    """Why a run is not averaged with the others of its group."""
    if not run.finished:
        reason = progress(run.spec, run.info)
        message = run.info.get("message")
        return f"{reason}: {message}" if message else reason
    if run.info["iteration"] != run.spec.training.iterations:
        return progress(run.spec, run.info)
    if number(run.info.get("test_error")) is None:
        return "run.json has no test error"
    for other in group.finished:
        if other.seed == run.seed:
            return f"has the seed of {other.folder}: no other experiment"
    return None


def _tell_apart(groups: Iterable[Group]) -> None:
    seen: dict[str, int] = {}
    for group in groups:
        count = seen[group.label] = seen.get(group.label, 0) + 1
        if count > 1:
            group.label += f" ({count})"
