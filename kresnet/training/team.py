"""What the processes of a run agree on; most runs are a team of one."""

import contextlib
import hashlib
import json
import signal
from collections.abc import Iterator, Sequence

from safetensors.numpy import load, save

from kresnet.errors import KresnetError, SpecError, StoppedError
from kresnet.machine.team import ProcessLostError, Team
from kresnet.records.checkpoints import Checkpoint
from kresnet.records.identity import Identity

MOST = 2**31 - 1


class MemberEndedError(KresnetError):
    """Another process ended, and this one ends with its exit code."""

    def __init__(self, index: int, exit_code: int):
        super().__init__(
            f"process {index} ended with exit code {exit_code} and says why"
        )
        self.exit_code = exit_code


class Agreement:
    """Keeps this process in step with the others of its team.

    All of them exchange at the same places, before whatever they compute
    together: who ends says so there, and none waits for it.

    Attributes:
        signal: A signal that came here; on process 0 that of any process.
        over: Whether the processes have left each other.
    """

    def __init__(self, team: Team):
        self.team = team
        self.signal: signal.Signals | None = None
        self.over = False

    def exchange(self, number: int = 0, code: int = 0) -> list[int]:
        """Tells the others and hears from them: returns everybody's number.

        Args:
            number: From 0 to `MOST`.
            code: The exit code of this process, if it ends.

        Raises:
            StoppedError: Process 0 has stopped, after a signal.
            MemberEndedError: One of them has ended with another error.
            ProcessLostError: One of them is gone.
        """
        row = (code, self.signal or 0, number)
        with self.team.watch():
            codes, signals, numbers = self.team.gather(row).T.tolist()
        if any(codes):
            self.leave()
            if not code:
                raise _end_of(codes)
        elif self.team.index == 0 and not self.signal and any(signals):
            self.signal = signal.Signals(max(signals))
        return numbers

    def of_first(self, number: int) -> int:
        """Returns the number of process 0 on all of them."""
        return self.exchange(number)[0]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Tells the others whether what is done inside failed.

        Afterwards all go on, or all end with the exit code of who failed.
        """
        try:
            with self.team.watch():
                yield
        except ProcessLostError:
            raise
        except Exception as error:
            if not self.over:
                with contextlib.suppress(ProcessLostError):
                    self.exchange(code=getattr(error, "exit_code", 1))
            raise
        self.exchange()

    def refuse_others(self, shared: str) -> None:
        """Raises `SpecError` on all processes unless `shared` is the same."""
        digest = hashlib.sha256(shared.encode()).digest()
        if len(set(self.exchange(int.from_bytes(digest[:4]) & MOST))) > 1:
            self.leave()
            raise SpecError(
                "--coordinator: the processes were started with different"
                " specs, seeds, data sets or options"
            )

    def checkpoint(self, newest: Checkpoint | None) -> Checkpoint | None:
        """Returns the checkpoint of process 0 on all of them."""
        if self.team.count == 1:
            return newest
        parts = [b"", b"", b""]
        if newest:
            header = {
                "iteration": newest.iteration,
                "state": newest.state,
                "identity": newest.identity.model_dump(mode="json"),
            }
            arrays = map(save, (newest.weights, newest.optimizer))
            parts = [json.dumps(header).encode(), *arrays]
        with self.team.watch():
            line, weights, optimizer = map(self.team.share, parts)
        if not line:
            return None
        header = json.loads(line)
        header["identity"] = Identity(**header["identity"])
        return Checkpoint(
            weights=load(weights), optimizer=load(optimizer), **header
        )

    def leave(self) -> None:
        """Ends the team, at the same place on all: none is missed."""
        self.over = True
        self.team.leave()


def _end_of(codes: Sequence[int]) -> StoppedError | MemberEndedError:
    index, code = next((i, code) for i, code in enumerate(codes) if code)
    if index == 0 and code == StoppedError.exit_code:
        return StoppedError("stopped with process 0, which has saved")
    return MemberEndedError(index, code)
