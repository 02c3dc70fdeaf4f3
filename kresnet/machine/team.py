"""A team of processes: its members, their exchange, and how they meet."""

import contextlib
import dataclasses
import ipaddress
import os
import re
import socket
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from kresnet.errors import DeviceMissingError, SpecError, StoppedError
from kresnet.machine.children import tell_parent
from kresnet.machine.devices import parse_devices

AUTOMATIC = "auto"


class ProcessLostError(StoppedError):
    """Another process of the team is gone."""


class NotMetError(Exception):
    """A backend says why the processes cannot be brought together.

    Attributes:
        alone: Whether nothing said where the others are.
    """

    def __init__(self, said: str, alone: bool = False):
        super().__init__(" ".join(said.split()))
        self.alone = alone


@dataclasses.dataclass(frozen=True)
class Membership:
    """How a process finds the others.

    Attributes:
        coordinator: "HOST:PORT" where process 0 listens; "auto" under SLURM,
            and on JAX under Kubernetes.
        processes: How many there are; `None` with "auto".
        process: Which this one is, from 0; `None` with "auto".

    Raises:
        SpecError: Something is missing or out of range.
    """

    coordinator: str
    processes: int | None = None
    process: int | None = None

    def __post_init__(self):
        numbers = self.processes, self.process
        if self.coordinator == AUTOMATIC:
            if numbers != (None, None):
                raise SpecError(
                    "--coordinator: auto finds --processes and --process by"
                    " itself; leave them out"
                )
            return
        host, _, port = self.coordinator.rpartition(":")
        is_port = re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 2**16
        if not (host and is_port):
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


_follows = False


def follows() -> bool:
    """Says whether this process is or was one that does not lead."""
    return _follows


# A process that is silent for so many seconds is taken for lost.
HEARTBEAT_SECONDS = 60
# The processes wait so long for each other.
SECONDS_TO_JOIN = 300
# They wait so long for an address of the first host; a pod has none before it
# has started.
SECONDS_TO_RESOLVE = 30


def join(
    membership: Membership,
    devices: str | None,
    notify: Callable[[str], None] = lambda _: None,
) -> Team:
    """Finds the other processes; before the backend is used in this one.

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
    global _follows
    request = parse_devices(devices)
    on_jax = keras.backend.backend() == "jax"
    if membership.process == 0:
        _refuse_taken_port(membership.coordinator)
    if host := _first_host(membership.coordinator):
        addresses = _resolve(host, notify)
        if on_jax:
            _warn_of_own_name(addresses, notify)
        notify(
            f"--coordinator: {host}: waiting for all processes, up to"
            f" {SECONDS_TO_JOIN} seconds"
        )
    try:
        if on_jax:
            from kresnet.machine.team_jax import meet
        else:
            from kresnet.machine.team_tensorflow import meet

            if membership.coordinator == AUTOMATIC:
                membership = _from_slurm(host)
        team = meet(membership, request)
    except NotMetError as error:
        raise _not_joined(membership, host, error) from error
    tell_parent()
    _follows = team.index > 0
    return team


def _from_slurm(host: str | None) -> Membership:
    """Returns the membership that SLURM's variables of a step describe."""
    try:
        count = int(os.environ["SLURM_STEP_NUM_TASKS"])
        index = int(os.environ["SLURM_PROCID"])
        job = int(os.environ["SLURM_JOB_ID"])
    except (KeyError, ValueError):
        raise NotMetError("SLURM names no step here", alone=True) from None
    # The port is one of the last 4,096, as JAX chooses it.
    return Membership(f"{host}:{2**16 - 2**12 + job % 2**12}", count, index)


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
    try:
        listening(port).close()
    except OSError as error:
        raise DeviceMissingError(
            f"--coordinator: process 0 cannot listen at port {port} of this"
            f" machine: {error.strerror}; name another one in all processes"
        ) from error


def listening(port: int) -> socket.socket:
    """Returns a socket that listens at a port of this machine."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=both)


def _not_joined(
    membership: Membership, host: str | None, error: NotMetError
) -> DeviceMissingError:
    backend = "JAX" if keras.backend.backend() == "jax" else "TensorFlow"
    if membership.coordinator == AUTOMATIC and error.alone:
        found_by = "SLURM"
        if backend == "JAX":
            found_by += (
                " or Kubernetes (where JAX needs its extra k8s and the right"
                " to read pods and jobs)"
            )
        return DeviceMissingError(
            f"--coordinator: auto found no processes by {found_by}; else name"
            f" HOST:PORT, --processes and --process. {backend} says: {error}"
        )
    return DeviceMissingError(
        f"--coordinator: {host or membership.coordinator}: the processes cannot"
        f" be brought together. {backend} says: {error}"
    )


def refuse_unequal_devices(counts: Sequence[int]) -> None:
    """Raises a SpecError if processes have different numbers of devices."""
    if len(set(counts)) > 1:
        listed = ", ".join(
            f"{count} in process {i}" for i, count in enumerate(counts)
        )
        raise SpecError(
            "--devices: must be as many in each process of a team. Received:"
            f" {listed}"
        )
