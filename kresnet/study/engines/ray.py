"""Trains the runs of a study as tasks of Ray."""

import contextlib
import dataclasses
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from types import ModuleType

from kresnet.errors import (
    DeviceMissingError,
    DivergedError,
    InputMissingError,
    SpecError,
    StoppedError,
    write_error,
)
from kresnet.machine.children import as_shell
from kresnet.machine.signals import Signals, exit_code
from kresnet.notices import notify
from kresnet.study.engines.on_nodes import (
    RETRIES,
    arguments_on_node,
    environment_on_node,
    log_of,
    may_go_on,
    ready,
    say_last_lines,
    start_run,
)
from kresnet.study.plan import PlannedRun


class KilledError(Exception):
    """A run was killed, or stopped though the study was not: it is retried."""

    def __init__(self, exit_code: int):
        super().__init__(exit_code)
        self.exit_code = exit_code


def train_in_task(
    arguments: list[str], environment: dict[str, str], log: str
) -> int:
    """Runs `kresnet` on this node, its output added to a log file.

    Returns its exit code. If it was killed, or stopped by somebody else, it
    raises a KilledError. A task that is cancelled, or whose worker is asked to
    end, lets the run save and stop.
    """
    process = start_run(arguments, environment, log)
    try:
        while process.poll() is None:
            # Not for longer: Ray interrupts between two instructions only.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait()
    code = as_shell(process.returncode)
    if may_go_on(code):
        raise KilledError(code)
    return code


# Bytes: a socket's name has 107 at most, 70 of them below this folder.
LONGEST_FOLDER = 37
SHORT_FOLDER = "/tmp"  # noqa: S108, where Ray's files are anyway
KILLED = exit_code(signal.SIGKILL)


@dataclasses.dataclass(frozen=True)
class RayEngine:
    """Runs every run of a study in a task with devices of its own.

    Attributes:
        address: That of a Ray cluster, or "auto" on one of its machines;
            `None` takes RAY_ADDRESS, else starts Ray on this machine alone.
        cpus: CPUs that a run reserves; without a GPU also its threads, on
            which its bits depend, as they do on no node.
        gpus: GPUs of a run; `None` for 1 where the cluster has any, else 0.
    """

    address: str | None = None
    cpus: int = 1
    gpus: int | None = None

    def __call__(
        self,
        planned: Sequence[PlannedRun],
        data_dir: str | os.PathLike[str] | None,
        changed: Callable[[], None],
    ) -> Generator[tuple[PlannedRun, int], None, None]:
        """Yields every run with its exit code, in the order they end.

        Raises:
            DeviceMissingError: There is no such cluster, or no node of it has
                the devices for a run.
            SpecError: RAY_TMPDIR is too long a name.
        """
        if not planned:
            return
        asked = types.SimpleNamespace(signal=None)
        with _connected(self.address) as ray, Signals(asked):
            gpus = self._gpus(ray.nodes())
            task = ray.remote(
                num_cpus=self.cpus,
                num_gpus=gpus,
                max_retries=RETRIES,
                retry_exceptions=[KilledError],
                scheduling_strategy="SPREAD",
            )(train_in_task)
            waiting = list(planned)
            pending: dict[object, PlannedRun] = {}
            try:
                while waiting or pending:
                    for each in ready(waiting, pending.values()):
                        waiting.remove(each)
                        ref = task.remote(
                            arguments_on_node(each, data_dir),
                            environment_on_node(self.cpus, gpus),
                            str(log_of(each)),
                        )
                        pending[ref] = each
                    changed()
                    if asked.signal:
                        _end(ray, pending)
                    done, _ = ray.wait(list(pending), timeout=1)
                    for ref in done:
                        each = pending.pop(ref)
                        yield each, _exit_code(ray, ref, each)
            finally:
                _end(ray, pending)

    def _gpus(self, known: list[dict]) -> int:
        nodes = [node["Resources"] for node in known if node["Alive"]]
        gpus = self.gpus
        if gpus is None:
            gpus = int(any(node.get("GPU", 0) >= 1 for node in nodes))
        if not any(
            node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= gpus
            for node in nodes
        ):
            there = "; ".join(
                f"{node.get('CPU', 0):g} and {node.get('GPU', 0):g}"
                for node in nodes
            )
            raise DeviceMissingError(
                f"no node of the cluster has the {self.cpus} CPUs and {gpus}"
                f" GPUs of a run; its nodes have {there}"
            )
        return gpus


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[ModuleType]:
    """Gives the module `ray`, connected to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    more = {}
    if address == "local":
        more = {"include_dashboard": False, "object_store_memory": 100 << 20}
        _shorten_temporary_folder()
        # Others on the network must not be able to start anything. Ray reads
        # this when it is imported.
        if "ray" not in sys.modules:
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    notify("starting Ray" if address == "local" else f"joining Ray: {address}")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputMissingError(
            "--engine ray needs ray, not installed here: pip install"
            " 'kresnet[ray]'"
        ) from error
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _reach(address)
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level="WARNING",
            **more,
        )
    except ConnectionError as error:
        raise DeviceMissingError(
            f"{address}: no Ray cluster to connect to: {error}"
        ) from error
    except ValueError as error:
        if address == "local":
            raise
        raise SpecError(
            "--address, or RAY_ADDRESS: must be HOST:PORT, or auto on a machine"
            f" of the cluster. Received: {address}"
        ) from error
    finally:
        with contextlib.suppress(ValueError):  # of another thread than main
            # Ray's own would exit with 15.
            signal.signal(signal.SIGTERM, handler)
    try:
        yield ray
    finally:
        ray.shutdown()


def _shorten_temporary_folder() -> None:
    """Sockets are below it; a RAY_TMPDIR that is too long is a `SpecError`."""
    own = os.environ.get("RAY_TMPDIR")
    folder = own or os.environ.get("TMPDIR", "")
    if len(os.fsencode(folder)) <= LONGEST_FOLDER:
        return
    if own:
        raise SpecError(
            f"RAY_TMPDIR: must have at most {LONGEST_FOLDER} bytes, since Ray's"
            f" sockets are below it. Received: {own}"
        )
    os.environ["RAY_TMPDIR"] = SHORT_FOLDER
    notify(
        f"TMPDIR is too long for Ray's sockets: its files go to {SHORT_FOLDER}"
    )


def _reach(address: str) -> None:
    """Raises `ConnectionError` at once, where Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if re.fullmatch("[0-9]{1,5}", port) and "://" not in host:
        try:
            socket.create_connection((host.strip("[]"), int(port)), 10).close()
        except (OSError, UnicodeError) as error:  # no name of a host can be so
            raise ConnectionError(str(error)) from error


def _exit_code(ray: ModuleType, ref: object, each: PlannedRun) -> int:
    """The exit code of a task that ended, whichever way."""
    try:
        code = ray.get(ref)
    except ray.exceptions.TaskCancelledError:
        return StoppedError.exit_code
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OSError):
            raise write_error(log_of(each), error.cause) from error
        if not isinstance(error.cause, KilledError):
            raise
        code = error.cause.exit_code
    except ray.exceptions.RayError as error:  # nodes or workers were lost
        first, *more = str(error).splitlines() or [repr(error)]
        notify(f"{each.folder}: {first}", *more)
        return KILLED
    if code not in (0, DivergedError.exit_code):
        say_last_lines(each)
    return code


def _end(ray: ModuleType, pending: dict) -> None:
    """Lets every run save and stop, and waits for it."""
    for ref in pending:
        ray.cancel(ref)
    if pending:
        ray.wait(list(pending), num_returns=len(pending))
