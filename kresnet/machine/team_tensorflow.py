"""A team of processes on TensorFlow, with its MultiWorkerMirroredStrategy.

Keras 3 does not support that strategy in `fit`; the loop here is our own.
TensorFlow finds no processes and, without the coordination service, which
takes SIGTERM for itself, notices no loss: `kresnet.machine.links` does both.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy
from tensorflow.python.eager import context

from kresnet.errors import DeviceMissingError, SpecError
from kresnet.machine.children import LOST
from kresnet.machine.devices import DeviceRequest
from kresnet.machine.links import Link, LinkLostError, greet, receive_greetings
from kresnet.machine.team import (
    HEARTBEAT_SECONDS,
    SECONDS_TO_JOIN,
    Membership,
    NotMetError,
    ProcessLostError,
    Team,
    listening,
    refuse_unequal_devices,
)

# What fails because of another process, also where its link goes on: a network
# that was silent for half a minute breaks TensorFlow's own connections before.
OF_THE_NETWORK = (
    LinkLostError,
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
)
# Another operation may fail before the link to the lost process does.
SECONDS_TO_NOTICE = 5
# A process that does not come to hear of a loss is ended after so long.
SECONDS_TO_END = 20


class TensorFlowTeam(Team):
    """Several processes that have found each other by `meet`.

    Attributes:
        strategy: A `tf.distribute.MultiWorkerMirroredStrategy` of them.
    """

    def __init__(
        self, index: int, count: int, links: Sequence[Link], strategy: Any
    ):
        self.index = index
        self.count = count
        self.strategy = strategy
        self.links = links
        self._leaving = False
        self._lost = threading.Event()
        self._reason = ""
        # `kresnet.machine.children.supervise` takes it for a loss.
        self._end = threading.Timer(SECONDS_TO_END, os.abort)
        self._end.daemon = True
        for link in links:
            link.watch(self._lose)

    def gather(self, row: Sequence[int]) -> np.ndarray:
        own = np.array(row, np.int32)
        with self.watch():
            if self.index:
                self.links[0].send(own.tobytes())
                data = self.links[0].receive()
            else:
                rows = [link.receive() for link in self.links]
                data = b"".join([own.tobytes(), *rows])
                for link in self.links:
                    link.send(data)
        return np.frombuffer(data, np.int32).reshape(self.count, len(own))

    def share(self, data: bytes) -> bytes:
        with self.watch():
            if self.index:
                return self.links[0].receive()
            for link in self.links:
                link.send(data)
        return data

    def leave(self) -> None:
        self._leaving = True
        self.gather([0])

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, LinkLostError) as error:
            if not (
                isinstance(error, OF_THE_NETWORK)
                or self._lost.wait(SECONDS_TO_NOTICE)
            ):
                raise
            self._end.cancel()
            # TensorFlow's message is a page about its graph.
            reason = self._reason or str(error).partition("\n")[0]
            raise ProcessLostError(f"{LOST} ({reason})") from error

    def _lose(self, reason: str) -> None:
        """Is called in a thread, at the end of a link."""
        if self._leaving or self._lost.is_set():
            return
        self._reason = reason
        self._lost.set()
        self._end.start()
        # What is being computed would wait for ever.
        context.context().abort_collective_ops(tf.errors.UNAVAILABLE, reason)


def meet(membership: Membership, request: DeviceRequest | None) -> Team:
    """Finds the other processes.

    Raises:
        NotMetError: They do not come, or cannot reach each other.
        DeviceMissingError: This process does not have the devices.
        SpecError: It is too late, or they have different numbers of devices.
    """
    index, count = membership.process or 0, membership.processes or 1
    gpus = _show_gpus(request)
    host, _, port = membership.coordinator.rpartition(":")
    host = host.strip("[]")
    own = {
        "index": index,
        "count": count,
        "host": host,
        "port": _free_port(),
        "devices": gpus or 1,
    }
    try:
        if index:
            address = host, int(port)
            connection, everybody = greet(address, own, SECONDS_TO_JOIN)
            connections = {0: connection}
        else:
            with listening(int(port)) as server:
                connections, everybody = receive_greetings(
                    server, own, count, SECONDS_TO_JOIN
                )
    except (OSError, ValueError) as error:
        raise NotMetError(str(error)) from error
    refuse_unequal_devices([each["devices"] for each in everybody])
    links = [
        Link(connections[i], HEARTBEAT_SECONDS) for i in sorted(connections)
    ]
    workers = [_address(each["host"], each["port"]) for each in everybody]
    return TensorFlowTeam(index, count, links, _strategy(workers, index, gpus))


def _strategy(workers: list[str], index: int, gpus: int) -> Any:
    # Without the coordination service (see above), and without the check of
    # the processes that takes its place, which is impatient.
    context.context().configure_coordination_service(service_type="")
    extended = collective_all_reduce_strategy.CollectiveAllReduceExtended
    extended._enable_check_health = False
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(
            tf.distribute.cluster_resolver.SimpleClusterResolver(
                tf.train.ClusterSpec({"worker": workers}),
                task_type="worker",
                task_id=index,
                num_accelerators={"GPU": gpus},
                rpc_layer="grpc",
            )
        )
    except RuntimeError as error:
        raise SpecError(
            "--coordinator: must come before TensorFlow is used in this"
            f" process: {error}"
        ) from error


def _show_gpus(request: DeviceRequest | None) -> int:
    """Lets TensorFlow see the GPUs of this process alone; says how many."""
    gpus = tf.config.list_physical_devices("GPU")
    if request and request.kind == "cpu":
        if request.count and request.count > 1:
            raise SpecError(
                "--devices: must be cpu in a team on TensorFlow, one device a"
                f" process. Received: cpu:{request.count}"
            )
        chosen = []
    elif request:
        ids = request.ids or range(request.count or len(gpus))
        if not gpus or max(ids) >= len(gpus):
            raise DeviceMissingError(
                f"--devices: this machine has {len(gpus)} GPUs that TensorFlow"
                " sees"
            )
        chosen = [gpus[i] for i in ids]
    else:
        chosen = gpus
    tf.config.set_visible_devices(chosen, "GPU")
    return len(chosen)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return free.getsockname()[1]


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
