"""The runs of a report: found, and averaged by experiment."""

import fnmatch
import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kresnet.errors import InputMissingError, KresnetError
from kresnet.explain.run import FLOAT32, progress
from kresnet.records.evaluation import ENSEMBLES
from kresnet.records.identity import Identity
from kresnet.records.run import RUN, RecordedRun, read_recorded_run
from kresnet.records.study import study_of
from kresnet.reporting.html import Markup, element, joined
from kresnet.spec import (
    CHANGEABLE,
    Spec,
    differing_fields,
    load_spec,
    shipped_specs,
)

NOTHING = "–"  # in the place of a number


def mean_and_deviation(values: Sequence[float]) -> str:
    """Writes "28.07 ± 0.21", with n - 1, or one value alone."""
    if not values:
        return NOTHING
    mean = statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:.2f}"
    return f"{mean:.2f} ± {statistics.stdev(values):.2f}"


WORD = "proxy"


def is_proxy(run: RecordedRun) -> bool:
    """Whether its study or its shipped spec means a run to be longer."""
    study = study_of(run.folder)
    if study is not None and study.proxy:
        return True
    return is_shortened(run.spec.name, run.spec.training.iterations)


def is_shortened(name: str, iterations: int) -> bool:
    """Whether the shipped spec of that name, if any, has more iterations."""
    if name not in shipped_specs():
        return False
    return iterations < load_spec(name).training.iterations


def named(name: str, proxy: bool) -> str:
    """The name of a network in a figure: "plain56-clip, proxy"."""
    return f"{name}, {WORD}" if proxy else name


def marked(text: str, proxy: bool) -> str | Markup:
    """A number in a cell of a table, and that it is a proxy's."""
    if not proxy or text == NOTHING:
        return text
    return joined(text, element("small", f" {WORD}"))


def caption(text: str, proxy: bool) -> str:
    """A figure's caption, which says what a proxy is if it shows one."""
    if not proxy:
        return text
    return (
        f"{text} A proxy was trained for a part of the iterations that were"
        " meant; none of its numbers stands beside the paper's."
    )


Notify = Callable[[str], object]
Content = TypeVar("Content")


def read_or_notify(
    notify: Notify, read: Callable[..., Content], *where: Any
) -> Content | None:
    """What `read(*where)` returns; `None`, and a notice, where it cannot."""
    try:
        return read(*where)
    except KresnetError as error:
        notify(str(error).replace("\n", "; "))
        return None


# Receives a folder that could not be looked into, and why.
Unseen = Callable[[Path, str], object]


def _find_runs(paths: Iterable[Path | str], unseen: Unseen) -> list[Path]:
    """The run folders that are named or lie below, each once."""
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not os.path.isdir(path):  # whose name may be too long for one
            raise InputMissingError(f"{path}: there is no such folder")
        below = [path]
        if not (path / RUN).exists():
            walked = list(walk(path, unseen))
            below = sorted(folder for folder, names in walked if RUN in names)
            ensembles = (fnmatch.filter(n, ENSEMBLES) for _, n in walked)
            if not below and any(ensembles):
                continue
        if not below:
            raise InputMissingError(
                f"{path}: no run folder here or below: none has a run.json"
            )
        for folder in below:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def walk(top: Path, unseen: Unseen) -> Iterator[tuple[Path, list[str]]]:
    """Every folder once, with the names of its files; links are followed."""

    def failed(error: OSError) -> None:
        unseen(Path(error.filename), f"cannot be read: {error.strerror}")

    seen = set()
    for name, folders, files in os.walk(top, onerror=failed, followlinks=True):
        folder = Path(name)
        real = folder.resolve()
        if real in seen:
            folders.clear()  # a link back to where it comes from
            continue
        seen.add(real)
        # Links come last, so that a run has its own name.
        folders.sort(key=lambda each: ((folder / each).is_symlink(), each))
        for path in [] if RUN in files else map(folder.joinpath, files):
            if path.is_symlink() and not path.exists():
                unseen(path, "a symbolic link to nothing")
        yield folder, files


@dataclass(frozen=True)
class LeftOut:
    """A run, or a folder that cannot be looked into, and why it is left out."""

    folder: Path
    reason: str


@dataclass
class Group:
    """Runs of one experiment; they differ by their seeds.

    Attributes:
        label: The spec's name, and what else tells groups apart.
        identity: The identity of the runs, the seed left open.
        spec: The spec of the first of them, as it was run.
        finished: Runs that are averaged, one for each seed.
        unfinished: Runs that ended early, are not done, or lost their error.
        proxy: Whether one was trained for less than was meant.
    """

    label: str
    identity: Identity
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
    """What a report is about: groups as their first runs were found."""

    groups: list[Group]
    left_out: list[LeftOut]

    @property
    def members(self) -> list[tuple[Group, RecordedRun]]:
        """Every run that could be read, with its group."""
        return [(group, run) for group in self.groups for run in group.runs]


def read_runs(paths: Sequence[Path | str]) -> ReportedRuns:
    """Reads runs, and folders with runs somewhere below them.

    A run that cannot be read, is not finished, or repeats a seed is left out
    of the averages and listed.

    Raises:
        InputMissingError: A path does not exist, or has no run.
    """
    groups: list[Group] = []
    left_out: list[LeftOut] = []
    for folder in _find_runs(
        paths, lambda path, why: left_out.append(LeftOut(path, why))
    ):
        try:
            run = read_recorded_run(folder)
            proxy = is_proxy(run)
        except KresnetError as error:
            left_out.append(LeftOut(folder, str(error).replace("\n", "; ")))
            continue
        group = _group_of(run, groups)
        reason = _against(run, group)
        if reason is None:
            group.finished.append(run)
        else:
            left_out.append(LeftOut(folder, reason))
            if not run.finished or run.record.test_error is None:
                group.unfinished.append(run)
        group.proxy = group.proxy or proxy
    seen: dict[str, int] = {}
    for group in groups:
        group.finished.sort(key=lambda run: run.seed)
        count = seen[group.label] = seen.get(group.label, 0) + 1
        if count > 1:
            group.label += f" ({count})"
    return ReportedRuns(groups, left_out)


def _group_of(run: RecordedRun, groups: list[Group]) -> Group:
    """The group of a run's experiment, made if it is the first."""
    identity = run.record.identity
    for group in groups:
        if not group.identity.differences(identity):
            return group
    label = run.spec.name
    if identity.precision != FLOAT32:
        label += f", {identity.precision}"
    groups.append(Group(label, identity.of_any_seed, run.spec))
    return groups[-1]


def _against(run: RecordedRun, group: Group) -> str | None:
    """Why a run is not averaged with the others of its group."""
    if not run.finished:
        reason = progress(run.spec, run.record)
        message = run.record.message
        return f"{reason}: {message}" if message else reason
    if run.record.test_error is None:
        return "run.json has no test error"
    for other in group.finished:
        if other.seed == run.seed:
            return f"has the seed of {other.folder}: no other experiment"
    return None
