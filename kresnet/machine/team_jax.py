"""A team of processes on JAX, which brings them together itself."""

import collections
import contextlib
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

from kresnet.errors import SpecError
from kresnet.machine.children import LOST
from kresnet.machine.devices import DeviceRequest
from kresnet.machine.team import (
    AUTOMATIC,
    HEARTBEAT_SECONDS,
    SECONDS_TO_JOIN,
    Membership,
    NotMetError,
    ProcessLostError,
    Team,
    refuse_unequal_devices,
)

# JAX' messages have one of these when another process does not answer.
SIGNS_OF_LOSS = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED")
# They have one of these when it was used in this process before.
SIGNS_OF_LATENESS = ("must be called before", "only be called once")


class JaxTeam(Team):
    """Several processes that have found each other by `meet`."""

    def __init__(self):
        self.index = jax.process_index()
        self.count = jax.process_count()

    def gather(self, row: Sequence[int]) -> np.ndarray:
        return multihost_utils.process_allgather(np.array(row, np.int32))

    def share(self, data: bytes) -> bytes:
        (size,) = self.gather([len(data)])[0]
        if size == 0:
            return b""
        own = np.zeros(size, np.uint8)
        if self.index == 0:
            own[:] = np.frombuffer(data, np.uint8)
        return multihost_utils.broadcast_one_to_all(own).tobytes()

    def leave(self) -> None:
        with self.watch():
            jax.distributed.shutdown()

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            # Collectives on CPUs raise a ValueError.
            if not any(sign in str(error) for sign in SIGNS_OF_LOSS):
                raise
            (reason, *_) = str(error).splitlines() or [""]
            raise ProcessLostError(f"{LOST} ({reason})") from error


def meet(membership: Membership, request: DeviceRequest | None) -> Team:
    """Finds the other processes.

    Raises:
        NotMetError: They cannot be found, or do not come.
        SpecError: It is too late, or they have different numbers of devices.
    """
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
        counts = collections.Counter(d.process_index for d in jax.devices())
        try:
            refuse_unequal_devices([counts[i] for i in sorted(counts)])
        except SpecError:
            team.leave()
            raise
        team.gather([0])  # they connect to each other when they first speak
    except SpecError:
        raise
    except Exception as error:  # JAX', and those of the cluster's packages
        said = " ".join(str(error).split())
        if any(sign in said for sign in SIGNS_OF_LATENESS):
            raise SpecError(
                "--coordinator: must come before JAX is used in this process:"
                f" {said}"
            ) from error
        lost = any(sign in said for sign in SIGNS_OF_LOSS)
        raise NotMetError(said, alone=not lost) from error
    return team
