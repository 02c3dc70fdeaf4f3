"""The runs of a report: finding them, and putting repetitions together."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kresnet.errors import InputMissingError, KresnetError
from kresnet.explain.run import progress
from kresnet.recorded_run import RecordedRun, read_recorded_run
from kresnet.spec import Spec, differing_fields, load_spec, shipped_specs
from kresnet.spec import spec_digest as digest_of


@dataclass(frozen=True)
class LeftOut:
    """A run that is in no average, and why.

    Attributes:
        folder: Path of the run folder.
        reason: How it ended, or what is wrong with it.
    """

    folder: Path
    reason: str


@dataclass
class Group:
    """Runs of one spec on the same data; they differ by their seeds.

    Runs that began with the weights of another run are a group apart.

    Attributes:
        label: The spec's name; a number tells groups of one name apart.
        spec: As run.
        finished: Runs that are averaged, one for each seed.
        unfinished: Runs that ended early or are not done.
    """

    label: str
    spec: Spec
    finished: list[RecordedRun] = field(default_factory=list)
    unfinished: list[RecordedRun] = field(default_factory=list)

    @property
    def changes(self) -> list[str]:
        """Fields in which it differs from the shipped spec of its name."""
        if self.spec.name not in shipped_specs():
            return []
        return differing_fields(load_spec(self.spec.name), self.spec)

    @property
    def proxy(self) -> bool:
        """Whether it is the shipped spec of its name, trained for less."""
        if self.spec.name not in shipped_specs():
            return False
        meant = load_spec(self.spec.name).training.iterations
        return self.spec.training.iterations < meant


@dataclass(frozen=True)
class Study:
    """What a report is about.

    Attributes:
        groups: In the order in which their first runs were named or found.
        left_out: Runs in no average.
    """

    groups: list[Group]
    left_out: list[LeftOut]


def read_study(paths: Sequence[Path | str]) -> Study:
    """Reads runs, and folders with runs somewhere below them.

    A run that cannot be read, is not finished, or repeats a seed is left out
    of the averages and listed.

    Raises:
        InputMissingError: A path does not exist, or has no run.
    """
    groups: dict[tuple[str, str], Group] = {}
    left_out = []
    for folder in find_runs(paths):
        try:
            run = read_recorded_run(folder)
        except KresnetError as error:
            left_out.append(LeftOut(folder, str(error)))
            continue
        key = (
            digest_of(run.spec),
            str(run.info.get("data_fingerprint")),
            str(part_of(run.info, "deepened", "spec_digest")),
        )
        group = groups.setdefault(key, Group(run.spec.name, run.spec))
        reason = _against(run, group)
        if reason is None:
            group.finished.append(run)
            continue
        left_out.append(LeftOut(folder, reason))
        if not run.finished:
            group.unfinished.append(run)
    _tell_apart(groups.values())
    for group in groups.values():
        group.finished.sort(key=lambda run: run.seed)
    return Study(list(groups.values()), left_out)


def find_runs(paths: Iterable[Path | str]) -> list[Path]:
    """The run folders that are named, or lie below the folders named.

    Raises:
        InputMissingError: A path does not exist, or has no run.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise InputMissingError(f"{path}: there is no such folder")
        below = list(_runs_below(path))
        if not below:
            raise InputMissingError(
                f"{path}: no run folder here or below: none has a run.json"
            )
        for folder in below:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _runs_below(path: Path) -> Iterator[Path]:
    if (path / "run.json").exists():
        yield path
    else:
        yield from sorted(file.parent for file in path.rglob("run.json"))


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


def part_of(info: dict, name: str, part: str) -> object:
    """What run.json says under two names; `None` where it does not."""
    mapping = info.get(name)
    return mapping.get(part) if isinstance(mapping, dict) else None


def number(value: object) -> float | None:
    """A finite number from a file, or `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer of more than 308 digits
        return None
