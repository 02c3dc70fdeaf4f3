"""Several processes, on one host or many, that train one network together.

JAX only: Keras 3 does not support MultiWorkerMirroredStrategy. Every process
calls the same functions in the same order; what one of them does alone must not
touch arrays that are spread over all.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from kresnet.errors import SpecError, StoppedError

AUTOMATIC = "auto"
# In the messages of JAX, when another process does not answer.
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
        if None in numbers or not 0 <= self.process < self.processes:
            raise SpecError(
                "--process: must be from 0 to one less than --processes, and"
                " both must be given with --coordinator. Received:"
                f" --processes {self.processes} --process {self.process}"
            )


class Team:
    """The processes, once they have found each other.

    Attributes:
        index: Number of this process; 0 leads.
        count: Number of processes.
    """

    def __init__(self):
        import jax

        self.index = jax.process_index()
        self.count = jax.process_count()

    @staticmethod
    def follows() -> bool:
        """Whether this process is or was one that does not lead."""
        import jax

        return jax.process_index() > 0

    def part(self, size: int) -> slice:
        """This process's share of a batch of so many images."""
        share = size // self.count
        return slice(self.index * share, (self.index + 1) * share)

    def gather(self, row: Sequence[int]) -> np.ndarray:
        """Everybody's row of 32-bit integers, shape `(count, len(row))`."""
        from jax.experimental import multihost_utils

        return multihost_utils.process_allgather(np.array(row, np.int32))

    def share(self, data: bytes | None = None) -> bytes:
        """What process 0 passes, on all of them."""
        from jax.experimental import multihost_utils

        (size,) = self.gather([len(data or b"")])[0]
        if size == 0:
            return b""
        own = np.zeros(size, np.uint8)
        if self.index == 0:
            own[:] = np.frombuffer(data, np.uint8)
        return multihost_utils.broadcast_one_to_all(own).tobytes()

    def leave(self) -> None:
        """Ends the team; what each has on its own devices stays."""
        import jax

        with _told_when_lost():
            jax.distributed.shutdown()

    @staticmethod
    def watch() -> contextlib.AbstractContextManager:
        """Turns the loss of another process into `ProcessLostError`."""
        return _told_when_lost()


@contextlib.contextmanager
def _told_when_lost() -> Iterator[None]:
    import jax

    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        # Of collectives on CPUs it comes as a ValueError.
        if not any(sign in str(error) for sign in SIGNS_OF_LOSS):
            raise
        (reason, *_) = str(error).splitlines() or [""]
        raise ProcessLostError(
            "another process of this training is gone; start all of them"
            f" again, and it goes on from its last checkpoint ({reason})"
        ) from error
