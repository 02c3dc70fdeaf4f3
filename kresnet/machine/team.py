"""A team of processes: its members, their exchange, and how they meet."""

import collections
import contextlib
import dataclasses
import ipaddress
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np

from kresnet.errors import DeviceMissingError, SpecError, StoppedError
from kresnet.machine.children import LOST, tell_parent
from kresnet.machine.devices import parse_devices

AUTOMATIC = "auto"
# JAX' messages have one of these when another process does not answer.
SIGNS_OF_LOSS = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED")


class ProcessLostError(StoppedError):
    """Another process of the team is gone."""


@dataclasses.dataclass(frozen=True)
class Membership:
    """How a process finds the others.

    Attributes:
        coordinator: "HOST:PORT" where process 0 listens; "auto" where JAX
            knows the cluster (SLURM, Kubernetes).
        processes: How many there are; `None` with "auto".
        process: Which this one is, from 0; `None` with "auto".

    Raises:
        SpecError: Something is missing or out of range.
    """

    coordinator: str
    processes: int | None = None
    process: int | None = None

    def __post_init__(self):
        if keras.backend.backend() != "jax":
            raise SpecError(
                "--coordinator: several processes train one network on JAX"
                " only, since Keras 3 does not support"
                " MultiWorkerMirroredStrategy; run KERAS_BACKEND=jax kresnet"
                f" train … Received: backend {keras.backend.backend()}"
            )
        numbers = self.processes, self.process
        if self.coordinator == AUTOMATIC:
            if numbers != (None, None):
                raise SpecError(
                    "--coordinator: auto finds --processes and --process by"
                    " itself; leave them out"
                )
            return
        host, _, port = self.coordinator.rpartition(":")
        if not (host and port.isdecimal() and 0 < int(port) < 2**16):
            raise SpecError(
                "--coordinator: must be HOST:PORT, or auto under SLURM and"
                f" Kubernetes. Received: {self.coordinator}"
            )
        if (
            self.processes is None
            or self.process is None
            or not 0 <= self.process < self.processes
        ):
            raise SpecError(
                "--process: must be from 0 to one less than --processes, and"
                " both must be given with --coordinator. Received:"
                f" --processes {self.processes} --process {self.process}"
            )


class Team:
    """The processes that train one network; this one is alone.

    Attributes:
        index: The number of this process; 0 leads.
        count: The number of processes.
    """

    index = 0
    count = 1

    def gather(self, row: Sequence[int]) -> np.ndarray:
        """Returns everybody's 32-bit integers, shape `(count, len(row))`."""
        return np.array([row], np.int32)

    def share(self, data: bytes) -> bytes:
        """Returns what process 0 passes, on all processes."""
        return data

    def leave(self) -> None:
        """Ends the team; what each has on its own devices stays."""

    def watch(self) -> contextlib.AbstractContextManager:
        """Turns the loss of another process into `ProcessLostError`."""
        return contextlib.nullcontext()


class JaxTeam(Team):
    """Several processes that have found each other by `join`."""

    def __init__(self):
        import jax

        self.index = jax.process_index()
        self.count = jax.process_count()

    def gather(self, row: Sequence[int]) -> np.ndarray:
        """See `Team`."""
        from jax.experimental import multihost_utils

        return multihost_utils.process_allgather(np.array(row, np.int32))

    def share(self, data: bytes) -> bytes:
        """See `Team`."""
        from jax.experimental import multihost_utils

        (size,) = self.gather([len(data)])[0]
        if size == 0:
            return b""
        own = np.zeros(size, np.uint8)
        if self.index == 0:
            own[:] = np.frombuffer(data, np.uint8)
        return multihost_utils.broadcast_one_to_all(own).tobytes()

    def leave(self) -> None:
        """See `Team`."""
        import jax

        with self.watch():
            jax.distributed.shutdown()

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """See `Team`."""
        import jax

        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            # Collectives on CPUs raise a ValueError.
            if not any(sign in str(error) for sign in SIGNS_OF_LOSS):
                raise
            (reason, *_) = str(error).splitlines() or [""]
            raise ProcessLostError(f"{LOST} ({reason})") from error


def follows() -> bool:
    """Says whether this process is or was one that does not lead."""
    import jax

    return jax.process_index() > 0


# A process that is silent for so many seconds is taken for lost.
HEARTBEAT_SECONDS = 60
# The processes wait so long for each other.
SECONDS_TO_JOIN = 300
# They wait so long for an address of the first host; a pod has none before it
# has started.
SECONDS_TO_RESOLVE = 30
# JAX' messages have one of these when it was used in this process before.
SIGNS_OF_LATENESS = ("must be called before", "only be called once")


def join(
    membership: Membership,
    devices: str | None,
    notify: Callable[[str], None] = lambda _: None,
) -> Team:
    """Finds the other processes; before JAX has been used in this one.

    Args:
        membership: How this process finds the others.
        devices: The devices of this process; see `parse_devices`. All
            processes must have as many.
        notify: Is told what is waited for and what may prevent it.

    Raises:
        DeviceMissingError: There is no such cluster or host, the processes did
            not come in time, or they cannot reach each other.
        SpecError: It is too late, the devices cannot be had so, or the
            processes have different numbers of them.
    """
    import jax

    request = parse_devices(devices)
    ids = None
    if request and request.kind == "cpu":
        jax.config.update("jax_platforms", "cpu")
        if request.count and request.count > 1:
            jax.config.update("jax_num_cpu_devices", request.count)
    elif request:
        ids = request.ids or (request.count and range(request.count))
    # That service would take SIGTERM for itself.
    jax.config.update("jax_enable_preemption_service", False)
    automatic = membership.coordinator == AUTOMATIC
    if membership.process == 0:
        _refuse_taken_port(membership.coordinator)
    if host := _first_host(membership.coordinator):
        addresses = _resolve(host, notify)
        _warn_of_own_name(addresses, notify)
        notify(
            f"--coordinator: {host}: waiting for all processes, up to"
            f" {SECONDS_TO_JOIN} seconds"
        )
    try:
        jax.distributed.initialize(
            coordinator_address=None if automatic else membership.coordinator,
            num_processes=membership.processes,
            process_id=membership.process,
            local_device_ids=ids and list(ids),
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            initialization_timeout=SECONDS_TO_JOIN,
        )
        team = JaxTeam()
        _refuse_unequal_devices(team)
        team.gather([0])  # they connect to each other when they first speak
    except SpecError:
        raise
    except Exception as error:  # JAX', and those of the cluster's packages
        raise _not_joined(membership, host, error) from error
    tell_parent()
    return team


def _first_host(coordinator: str) -> str | None:
    """Returns process 0's host; `None` if only JAX can find it."""
    if coordinator == AUTOMATIC:
        coordinator = os.environ.get("JAX_COORDINATOR_ADDRESS", "")
        nodes = os.environ.get("SLURM_STEP_NODELIST", "")
        # Such as node1,other or node[001-004,7],other.
        found = re.match(r"([^,[]+)(?:\[([^],-]+))?", nodes)
        if found and not coordinator:
            return found[1] + (found[2] or "")
    return coordinator.rpartition(":")[0].strip("[]") or None


def _resolve(host: str, notify: Callable[[str], None]) -> list[str]:
    """Returns the addresses of a host as soon as its name is known."""
    for second in range(SECONDS_TO_RESOLVE):
        try:
            return _addresses(host)
        except (OSError, UnicodeError) as error:
            said = f"--coordinator: {host}: no address of this name: {error}"
        if second == 0:
            notify(f"{said}; trying for {SECONDS_TO_RESOLVE} seconds")
        time.sleep(1)
    raise DeviceMissingError(said)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _warn_of_own_name(
    coordinator: list[str], notify: Callable[[str], None]
) -> None:
    """Says if other machines cannot reach the address of this one's own name.

    On CPUs JAX tells them that one.
    """
    if _is_loopback(coordinator[0]):
        return  # all processes are on this machine
    name = socket.gethostname()
    try:
        own = _addresses(name)[0]
    except (OSError, UnicodeError):
        own = None
    if own and not _is_loopback(own):
        return
    instead = f" in place of the line {own} {name}," if own else ""
    notify(
        f"{name}: the name of this machine is {own or 'no address'} here, so"
        " that processes on other machines cannot reach this one on CPUs; in"
        f" /etc/hosts,{instead} write: {_outward(coordinator[0])} {name}"
    )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _outward(address: str) -> str:
    """Returns this machine's address on the way to another; sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((address, 9))
            return way.getsockname()[0]
    except OSError:
        return "ADDRESS"


def _refuse_taken_port(coordinator: str) -> None:
    """Raises if a port is taken, which JAX would share with its owner."""
    port = int(coordinator.rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(
            ("", port), family=family, dualstack_ipv6=both
        ).close()
    except OSError as error:
        raise DeviceMissingError(
            f"--coordinator: process 0 cannot listen at port {port} of this"
            f" machine: {error.strerror}; name another one in all processes"
        ) from error


def _not_joined(
    membership: Membership, host: str | None, error: Exception
) -> SpecError | DeviceMissingError:
    said = " ".join(str(error).split())
    if any(sign in said for sign in SIGNS_OF_LATENESS):
        return SpecError(
            "--coordinator: must come before JAX is used in this process:"
            f" {said}"
        )
    lost = any(sign in said for sign in SIGNS_OF_LOSS)
    if membership.coordinator == AUTOMATIC and not lost:
        return DeviceMissingError(
            "--coordinator: auto found no processes by SLURM or Kubernetes"
            " (where JAX needs its extra k8s and the right to read pods and"
            " jobs); else name HOST:PORT, --processes and --process. JAX says:"
            f" {said}"
        )
    return DeviceMissingError(
        f"--coordinator: {host or membership.coordinator}: the processes cannot"
        f" be brought together. JAX says: {said}"
    )


def _refuse_unequal_devices(team: Team) -> None:
    """Raises on all processes if they have different numbers of devices."""
    import jax

    counts = collections.Counter(d.process_index for d in jax.devices())
    if len(set(counts.values())) > 1:
        team.leave()
        listed = ", ".join(
            f"{counts[i]} in process {i}" for i in sorted(counts)
        )
        raise SpecError(
            "--devices: must be as many in each process of a team. Received:"
            f" {listed}"
        )
