"""The folder of a run: its files, its lock, and whether it can be written."""

import contextlib
import fcntl
import json
import os
import platform
import shutil
import stat
import time
from pathlib import Path

from kresnet import sealed_folder
from kresnet.errors import CannotWriteError
from kresnet.files import replace_file, visible_names
from kresnet.records.checkpoints import is_checkpoint_name
from kresnet.records.run import RUN, RunRecord
from kresnet.records.typed_file import as_json, read_typed

LOCK = ".lock"
SIGNED = b"process "
MOST_SIGNED = 1_000  # bytes


class RunFolder:
    """Names the files of a run and keeps other processes out of them.

    A context manager: the folder is made and locked on entry, and the lock
    goes with the process, however it ends. Where the folder is removed, or
    moved, while it is locked, another process may begin in a new one at its
    path: `check_lock` comes before each write.

    Args:
        path: The folder.
        wait: Seconds to wait for another process that holds the lock.
    """

    def __init__(self, path: Path, wait: float = 0):
        self.path = Path(path)
        self.wait = wait
        self.spec = self.path / "spec.yaml"
        self.record = self.path / RUN
        self.metrics = self.path / "metrics.csv"
        self.losses = self.path / "losses.csv"
        self.checkpoints = self.path / "checkpoints"
        self.events = self.path / "events"
        self.diverged = self.path / "diverged.json"

    def __enter__(self) -> "RunFolder":
        end = time.monotonic() + self.wait
        while not self._take_lock(last_try=time.monotonic() >= end):
            time.sleep(0.2)
        try:
            self._sign_lock()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error) -> None:
        # The folder may be gone, or in use by another process.
        with contextlib.suppress(OSError):
            if self._holds_lock() and not visible_names(self.path):
                # Nothing came of it: leave nothing behind.
                (self.path / LOCK).unlink()
                self.path.rmdir()
        with contextlib.suppress(OSError):
            self._lock.truncate(0)
        self._lock.close()

    def _take_lock(self, last_try: bool) -> bool:
        """Opens it anew each time: its holder may remove an empty folder."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Before anything of ours is in it.
            self.refuse_foreign_files()
            # Opened for writing it is also the probe for a read-only folder.
            self._lock = (self.path / LOCK).open("ab+", buffering=0)
        except OSError as error:
            raise self._refused(error) from error
        if not stat.S_ISREG(os.fstat(self._lock.fileno()).st_mode):
            self._lock.close()  # a pipe, or a link to a device
            raise self._foreign_lock()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._signature().decode(errors="replace").strip()
            self._lock.close()
            if not last_try:
                return False
            raise CannotWriteError(
                f"{self.path}: {holder or 'another process'} is running this; "
                "wait for it, or name another folder with --out"
            ) from None
        except OSError as error:  # file systems without locks
            self._lock.close()
            raise CannotWriteError(
                f"{self.path}: cannot be locked: {error.strerror}"
            ) from error
        if not self._holds_lock():  # its holder removed it meanwhile
            self._lock.close()
            return False
        if not SIGNED.startswith(self._signature()[: len(SIGNED)]):
            self._lock.close()
            raise self._foreign_lock()
        return True

    def _foreign_lock(self) -> CannotWriteError:
        return CannotWriteError(
            f"{self.path / LOCK}: is not kresnet's; name another folder with"
            " --out"
        )

    def check_lock(self) -> None:
        """Checks that the folder is the one that was locked.

        Raises:
            CannotWriteError: It was removed or moved, and perhaps begun anew.
        """
        if not self._holds_lock():
            raise CannotWriteError(
                f"{self.path}: cannot be written: it was removed or moved while"
                " this run was in it, and may be another run's"
            )

    def _holds_lock(self) -> bool:
        try:
            there = os.stat(self.path / LOCK)
        except OSError:
            return False
        # The lock is open, so no other file can get its number.
        return os.path.samestat(there, os.fstat(self._lock.fileno()))

    def _signature(self) -> bytes:
        self._lock.seek(0)
        return self._lock.read(MOST_SIGNED)

    def check_space(self, needed: int) -> None:
        """Checks that there is room for all the bytes that checkpoints need.

        Raises:
            CannotWriteError: There is not, and the run would not get far.
        """
        # Those that were set aside stay. What a killed process left in a
        # temporary folder is removed before the next save.
        there = sum(
            path.stat().st_size
            for folder in self.checkpoints.glob("*")
            if ".corrupt" not in folder.name
            for path in folder.rglob("*")
            if path.is_file()
        )
        needed -= there
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise CannotWriteError(
                f"{self.path}: the checkpoints need {needed / 1e6:.1f} MB "
                f"and {free / 1e6:.1f} MB are free"
            )

    def _sign_lock(self) -> None:
        holder = f"{os.getpid()} on {platform.node()}\n"
        try:
            self._lock.truncate(0)
            self._lock.write(SIGNED + holder.encode())
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> CannotWriteError:
        # Also for a full disk: nothing was computed yet.
        return CannotWriteError(
            f"{self.path}: cannot be written: {error.strerror}"
        )

    def refuse_foreign_files(self) -> None:
        """Checks that the folder is a run's, or empty but for hidden files.

        Without run.json it is a run's by its checkpoints, which have
        manifests.

        Raises:
            CannotWriteError: It holds something else; a run would mix with it.
        """
        if self.record.exists() or self._has_checkpoints():
            return
        if names := visible_names(self.path):
            raise CannotWriteError(
                f"{self.path}: holds files and no run.json: "
                f"{', '.join(names[:5])}; name another folder with --out"
            )

    def _has_checkpoints(self) -> bool:
        manifests = self.checkpoints.glob(f"*/{sealed_folder.MANIFEST}")
        names = (path.parent.name.partition(".")[0] for path in manifests)
        return any(map(is_checkpoint_name, names))

    def read_record(self) -> RunRecord | None:
        """What run.json says; `None` where there is none.

        Raises:
            BadDataError: It is not what kresnet writes.
            InputMissingError: It cannot be read.
        """
        return read_typed(self.record, RunRecord)

    def write_record(self, record: RunRecord) -> None:
        """Replaces run.json."""
        self.check_lock()
        replace_file(self.record, as_json(record))

    def write_spec(self, text: str) -> None:
        """Replaces spec.yaml."""
        self.check_lock()
        replace_file(self.spec, text)

    def write_diagnosis(self, diagnosis: dict) -> None:
        """Writes diverged.json."""
        self.check_lock()
        text = json.dumps(diagnosis, indent=2, allow_nan=False)
        replace_file(self.diverged, text + "\n")

    def remove_diagnosis(self) -> None:
        """Removes diverged.json, once the run went on past it."""
        self.check_lock()
        with contextlib.suppress(OSError):
            self.diverged.unlink()
