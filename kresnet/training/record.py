"""Keeps run.json up to date while a run trains."""

import datetime
import time
from collections.abc import Callable

from kresnet.callbacks import Throughput
from kresnet.errors import SpecError
from kresnet.machine.facts import hardware, versions
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.records.run import RunRecord

# Parts of the record that the bits of a result depend on.
CONDITIONS = ("versions", "hardware", "options")


class Record:
    """Keeps run.json up to date through any number of interruptions.

    `name` is that of its spec, `options` are those that the bits of the result
    depend on, and `decoders` the versions of what reads its images.

    Attributes:
        now: What run.json says, or will.
        changed_conditions: Which of `CONDITIONS` have changed since it was
            last written; `None` if it was not there.
    """

    def __init__(
        self,
        folder: RunFolder,
        name: str,
        identity: Identity,
        options: dict[str, object],
        class_names: tuple[str, ...] = (),
        decoders: dict[str, str] | None = None,
    ):
        self.folder = folder
        before = folder.read_record()
        times = dict.fromkeys(("seconds", "cpu_seconds"), 0.0)
        begun = {"iteration": 0, "started": _now(), **times}
        now = {
            "identity": identity,
            "name": name,
            "status": "running",
            "message": None,  # of a divergence that is past
            "versions": versions() | (decoders or {}),
            "hardware": hardware(),
            "options": options,
            "class_names": class_names,
        }
        self.now = RunRecord(**((dict(before) if before else begun) | now))
        self.changed_conditions = before and [
            line
            for part in CONDITIONS
            for line in _changes(before, self.now, part)
        ]
        self._clock = time.perf_counter(), time.process_time()

    def compare_conditions(
        self, strict: bool, notify: Callable[[str], None]
    ) -> None:
        """Tells `notify` which conditions changed; `strict` raises `SpecError`.

        It raises that too where run.json does not say what they were.
        """
        if strict and self.changed_conditions is None:
            raise SpecError(
                f"{self.folder.path}: --strict: run.json does not say the"
                f" {' and '.join(CONDITIONS)} of the run until now"
            )
        if self.changed_conditions:
            message = (
                "the result will not be bit-identical to an uninterrupted"
                f" run's: {'; '.join(self.changed_conditions)}"
            )
            if strict:
                raise SpecError(f"{self.folder.path}: --strict: {message}")
            notify(message)

    def change(self, **changes) -> None:
        """Changes fields, to be written with the next update."""
        self.now = RunRecord(**(dict(self.now) | changes))

    def update(self, status: str, iteration: int, **more) -> None:
        """Writes the status, the times until now, and `more`."""
        now = time.perf_counter(), time.process_time()
        if status == "finished":
            more["finished"] = _now()
        self.change(
            status=status,
            iteration=iteration,
            seconds=self.now.seconds + now[0] - self._clock[0],
            cpu_seconds=self.now.cpu_seconds + now[1] - self._clock[1],
            **more,
        )
        self._clock = now
        self.folder.write_record(self.now)


def _changes(before: RunRecord, now: RunRecord, part: str) -> list[str]:
    """Lines such as "devices: 1 cpu -> 2 cpu"."""
    old, new = (each.model_dump(mode="json")[part] for each in (before, now))
    lines = []
    for name in new:
        pair = [each.get(name) for each in (old, new)]
        if pair[0] != pair[1]:
            if name == "device_ids":
                pair = [ids or "the first" for ids in pair]
            lines.append(f"{name}: {pair[0]} -> {pair[1]}")
    return lines


def speed(throughput: Throughput, batch_size: int) -> dict[str, float]:
    """The speed of training in the steady state, as run.json names it.

    What was not measured is left out: a few iterations after a resume leave
    the figures that were written before.
    """
    speeds = {}
    if images := throughput.measured_iterations * batch_size:
        speeds["images_per_second"] = images / throughput.seconds
        cpu_seconds = throughput.cpu_seconds / (images / 1_000)
        speeds["cpu_seconds_per_1000_images"] = cpu_seconds
    first = throughput.cpu_seconds_to_first_iteration
    if first is not None:
        speeds["cpu_seconds_to_first_iteration"] = first
    return speeds


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
