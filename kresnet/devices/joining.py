"""Finding the other processes of a team, and saying why it failed."""

import collections
import socket

from kresnet.devices.request import parse_devices
from kresnet.devices.team import (
    AUTOMATIC,
    Membership,
    ProcessLostError,
    Team,
)
from kresnet.errors import DeviceMissingError, SpecError

# A process that is silent for so many seconds is taken for lost.
HEARTBEAT_SECONDS = 60
# In the messages of JAX, when it has been used in this process before.
SIGNS_OF_LATENESS = ("must be called before", "only be called once")


def join(membership: Membership, devices: str | None) -> Team:
    """Finds the other processes; before JAX has been used in this one.

    Args:
        membership: How.
        devices: Of this process; see `parse_devices`. A count must be the
            same in all.

    Raises:
        DeviceMissingError: There is no such cluster, or it keeps them apart.
        ProcessLostError: They did not come in time.
        SpecError: Too late, the devices cannot be had so, or the processes
            do not have as many each.
    """
    import jax

    request = parse_devices(devices)
    ids = None
    if request and request.kind == "cpu":
        jax.config.update("jax_platforms", "cpu")
        if request.count > 1:
            jax.config.update("jax_num_cpu_devices", request.count)
    elif request:
        ids = request.ids or (request.count and range(request.count))
    automatic = membership.coordinator == AUTOMATIC
    if membership.process == 0:
        _refuse_taken_port(membership.coordinator)
    try:
        with Team.watch():
            jax.distributed.initialize(
                coordinator_address=(
                    None if automatic else membership.coordinator
                ),
                num_processes=membership.processes,
                process_id=membership.process,
                local_device_ids=ids and list(ids),
                heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            )
    except ProcessLostError:
        raise
    except Exception as error:  # JAX', and those of the cluster's packages
        raise _not_joined(membership, error) from error
    with Team.watch():
        team = Team()
        _refuse_unequal_devices(team)
        return team


def _refuse_taken_port(coordinator: str) -> None:
    """JAX itself would share the port with another coordinator."""
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
    membership: Membership, error: Exception
) -> SpecError | DeviceMissingError:
    said = " ".join(str(error).split())
    if any(sign in said for sign in SIGNS_OF_LATENESS):
        return SpecError(
            "--coordinator: must come before JAX is used in this process:"
            f" {said}"
        )
    if membership.coordinator == AUTOMATIC:
        return DeviceMissingError(
            "--coordinator: auto found no processes by SLURM or Kubernetes"
            " (where JAX needs its extra k8s and the right to read pods and"
            " jobs); else name HOST:PORT, --processes and --process. JAX says:"
            f" {said}"
        )
    return DeviceMissingError(
        f"--coordinator: {membership.coordinator}: the processes cannot be"
        f" brought together. JAX says: {said}"
    )


def _refuse_unequal_devices(team: Team) -> None:
    """All come to the same answer, from what JAX has told them."""
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
