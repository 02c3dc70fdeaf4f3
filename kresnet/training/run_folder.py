"""The folder of a run: its files, its lock, and whether it can be written."""

import contextlib
import fcntl
import json
import os
import platform
import shutil
from pathlib import Path

from kresnet.atomic_file import replace_file
from kresnet.errors import BadDataError, CannotWriteError, write_error

LOCK = ".lock"
ALWAYS_THERE = frozenset(
    {
        "cpu_seconds",
        "data_fingerprint",
        "hardware",
        "iteration",
        "seconds",
        "seed",
        "spec_digest",
        "status",
        "versions",
    }
)


class RunFolder:
    """Names the files of a run and keeps other processes out of them.

    A context manager: the folder is made and locked on entry, and the lock
    goes with the process, however it ends.

    Args:
        path: The folder.
        needed: Bytes that must be free, or the run would not get far.
    """

    def __init__(self, path: Path, needed: int = 0):
        self.path = Path(path)
        self.needed = needed
        self.spec = self.path / "spec.yaml"
        self.info = self.path / "run.json"
        self.metrics = self.path / "metrics.csv"
        self.losses = self.path / "losses.csv"
        self.checkpoints = self.path / "checkpoints"
        self.events = self.path / "events"
        self.diverged = self.path / "diverged.json"

    def __enter__(self) -> "RunFolder":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Opened for writing it is also the probe for a read-only folder.
            self._lock = (self.path / LOCK).open("ab+", buffering=0)
        except OSError as error:
            raise write_error(self.path, error) from error
        try:
            self._take_lock()
            self._check_space()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *error) -> None:
        if [path.name for path in self.path.iterdir()] == [LOCK]:
            # Nothing came of it: leave nothing behind, but for a folder that
            # somebody else is using this moment.
            with contextlib.suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()
        self._lock.close()

    def _take_lock(self):
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().decode().strip() or "another process"
            raise CannotWriteError(
                f"{self.path}: {holder} is running this; wait for it, or name "
                "another folder with --out"
            ) from None
        try:
            self._lock.truncate(0)
            holder = f"process {os.getpid()} on {platform.node()}\n"
            self._lock.write(holder.encode())
        except OSError as error:
            raise write_error(self.path, error) from error

    def _check_space(self):
        free = shutil.disk_usage(self.path).free
        if free < self.needed:
            raise CannotWriteError(
                f"{self.path}: two checkpoints need {self.needed / 1e6:.0f} MB "
                f"and {free / 1e6:.0f} MB are free"
            )

    def read_info(self) -> dict | None:
        """What run.json says; `None` where there is none.

        Raises:
            BadDataError: It is not what kresnet writes.
        """
        try:
            info = json.loads(self.info.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise BadDataError(f"{self.info}: not JSON: {error}") from error
        if not (isinstance(info, dict) and info.keys() >= ALWAYS_THERE):
            raise BadDataError(
                f"{self.info}: not the record of a run: must have "
                f"{', '.join(sorted(ALWAYS_THERE))}"
            )
        return info

    def write_info(self, info: dict) -> None:
        """Replaces run.json."""
        self._replace(self.info, json.dumps(info, indent=2) + "\n")

    def write_spec(self, text: str) -> None:
        """Replaces spec.yaml."""
        self._replace(self.spec, text)

    def write_diagnosis(self, diagnosis: dict) -> None:
        """Writes diverged.json."""
        self._replace(self.diverged, json.dumps(diagnosis, indent=2) + "\n")

    def _replace(self, path, text):
        try:
            replace_file(path, text)
        except OSError as error:
            raise write_error(path, error) from error
