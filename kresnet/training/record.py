"""run.json: what is known about a run so far."""

import datetime
import time
from collections.abc import Callable

from kresnet.callbacks import Throughput
from kresnet.errors import SpecError
from kresnet.machine.facts import hardware, versions
from kresnet.records.folder import RunFolder
from kresnet.spec import Spec, spec_digest

# Parts of the environment that the bits of a result depend on.
CONDITIONS = ("versions", "hardware", "options")
# What one of these is where a record, perhaps an older one, does not have it.
USUAL = {"device_ids": "the first", "floatx": "float32", "processes": 1}


class Record:
    """Keeps run.json up to date through any number of interruptions.

    Args:
        folder: The run's folder.
        spec: The run's spec.
        seed: The run's seed.
        data_fingerprint: Of the data set that was loaded.
        options: Those that the bits of the result depend on, by name.

    Attributes:
        info: What run.json says.
        changed_conditions: What has changed since it was last written, and
            the bits of the result depend on.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        seed: int,
        data_fingerprint: str,
        options: dict[str, object],
    ):
        self.folder = folder
        before = folder.read_info() or {}
        before.pop("message", None)  # of a divergence that is past
        self.info = {
            "seconds": 0.0,
            "cpu_seconds": 0.0,
            "started": _now(),
            "checkpoint": None,
            "warm_up_ended_at": None,
            "images_per_second": None,
            "cpu_seconds_per_1000_images": None,
            "cpu_seconds_to_first_iteration": None,
            **before,
            "status": "running",
            "name": spec.name,
            "spec_digest": spec_digest(spec),
            "seed": seed,
            "data_fingerprint": data_fingerprint,
            "versions": versions(),
            "hardware": hardware(),
            "options": options,
        }
        # Of a run that goes on: what there is nothing to compare with.
        self.unknown_conditions = [
            part for part in CONDITIONS if part not in before
        ]
        self.changed_conditions = [
            line
            for part in CONDITIONS
            if part in before
            for line in _changes(before[part], self.info[part])
        ]
        self._clock = time.perf_counter(), time.process_time()

    def compare_conditions(
        self, strict: bool, notify: Callable[[str], None]
    ) -> None:
        """Says what the bits depend on and has changed since the run began.

        Args:
            strict: Refuse it instead.
            notify: Told, in words.

        Raises:
            SpecError: `strict`, and something changed, or run.json does not
                say how the run was until now.
        """
        if strict and self.unknown_conditions:
            raise SpecError(
                f"{self.folder.path}: --strict: run.json does not say the"
                f" {' and '.join(self.unknown_conditions)} of the run until now"
            )
        if not self.changed_conditions:
            return
        message = (
            "the result will not be bit-identical to an uninterrupted run's: "
            + "; ".join(self.changed_conditions)
        )
        if strict:
            raise SpecError(f"{self.folder.path}: --strict: {message}")
        notify(message)

    def update(self, status: str, iteration: int, **more) -> None:
        """Writes the status, the times until now, and `more`."""
        now = time.perf_counter(), time.process_time()
        self.info["seconds"] += now[0] - self._clock[0]
        self.info["cpu_seconds"] += now[1] - self._clock[1]
        self._clock = now
        self.info.update(status=status, iteration=iteration, **more)
        if status == "finished":
            self.info["finished"] = _now()
        self.folder.write_info(self.info)


def _changes(before: dict, now: dict) -> list[str]:
    """Lines such as "devices: 1 cpu -> 2 cpu"."""
    unusual = [name for name in USUAL if name in before and name not in now]
    pairs = {
        name: [each.get(name, USUAL.get(name)) for each in (before, now)]
        for name in (*now, *unusual)
    }
    return [
        f"{name}: {old} -> {new}"
        for name, (old, new) in pairs.items()
        if old != new
    ]


def speed(throughput: Throughput, batch_size: int) -> dict[str, float]:
    """The speed of training in the steady state, as run.json names it.

    What was not measured is left out: a few iterations after a resume leave
    the figures that were written before.
    """
    found = {}
    images = throughput.measured_iterations * batch_size
    if images:
        found["images_per_second"] = images / throughput.seconds
        found["cpu_seconds_per_1000_images"] = throughput.cpu_seconds / (
            images / 1_000
        )
    if throughput.cpu_seconds_to_first_iteration is not None:
        found["cpu_seconds_to_first_iteration"] = (
            throughput.cpu_seconds_to_first_iteration
        )
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
