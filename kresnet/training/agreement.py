"""What the processes of a team tell each other between chunks.

Before each chunk, and once at the end, every process gathers everybody's code,
signal, pace and identity. So all run the same chunks and stop after the same
one: when process 0 fails or stops, or any of them gets a signal.
"""

import contextlib
import hashlib
import json
import signal
from collections.abc import Callable, Iterator

import keras
import numpy as np

from kresnet.callbacks import IterationCallback
from kresnet.errors import SpecError, StoppedError
from kresnet.machine.signals import Holder
from kresnet.machine.team import ProcessLostError, Team
from kresnet.spec import Spec, spec_digest
from kresnet.training.options import Options
from kresnet.training.team_start import MemberEndedError

MOST = 2**31 - 1


def identity_of(
    spec: Spec, seed: int, data_fingerprint: str, options: Options
) -> str:
    """What all processes of a team must have in common.

    With another one a process would end its chunks elsewhere or run another
    program, and all would wait for each other for ever.
    """
    floatx = keras.config.floatx()
    return json.dumps(
        [spec_digest(spec), seed, data_fingerprint, floatx, options.shared]
    )


class Agreement(IterationCallback):
    """Keeps a process in step with the others; comes first among callbacks.

    Args:
        team: The processes.
        last: The run's last iteration.

    Attributes:
        identity: Of what is trained: the same on all, or they all end.
        holder: Acts on signals: its `signal` is told to the others, and that
            of process 0 is set when another heard one. This one at first.
        signal: A signal that came here.
        measured_pace: Gives the iterations per second measured here.
        pace: Those of process 0 at the last exchange, 0 while unknown.
        over: Whether the processes have left each other.
    """

    def __init__(self, team: Team, last: int):
        super().__init__()
        self.team = team
        self.last = last
        self.identity = ""
        self.pace = 0
        self.signal: signal.Signals | None = None
        self.holder: Holder = self
        self.measured_pace: Callable[[], float] = lambda: 0.0
        self.over = False

    def exchange(self, code: int = 0) -> None:
        """Tells the others and hears from them.

        Args:
            code: Exit code of this process, if it ends.

        Raises:
            SpecError: They do not train the same.
            StoppedError: Process 0 has stopped, after a signal.
            MemberEndedError: One of them has ended with another error.
            ProcessLostError: One of them is gone.
        """
        pace = min(int(self.measured_pace()), MOST)
        row = (code, self.holder.signal or 0, pace, self._identity())
        with self.team.watch():
            codes, signals, paces, identities = self.team.gather(row).T
        if codes.any():
            self._leave()
            if not code:
                raise _end_of(codes)
            return
        if len(set(identities.tolist())) > 1:
            self._leave()
            raise SpecError(
                "--coordinator: the processes were started with different"
                " specs, seeds, data sets or options"
            )
        self.pace = int(paces[0])
        heard = [number for number in signals.tolist() if number]
        if heard and self.team.index == 0:
            self.holder.signal = signal.Signals(heard[0])

    def _identity(self) -> int:
        digest = hashlib.sha256(self.identity.encode()).digest()
        return int.from_bytes(digest[:4]) & MOST

    def _leave(self):
        # All at the same place: who ends first is not missed by the others.
        self.over = True
        self.team.leave()

    def on_train_batch_begin(self, batch, logs=None):
        """Before every chunk."""
        super().on_train_batch_begin(batch, logs)
        self.exchange()

    def on_train_batch_end(self, batch, logs=None):
        """Ends `fit` at the last iteration, so that none waits for another."""
        super().on_train_batch_end(batch, logs)
        if self.iteration >= self.last:
            self.model.stop_training = True


def _end_of(codes: np.ndarray) -> StoppedError | MemberEndedError:
    first = int(codes.nonzero()[0][0])
    if first == 0 and codes[0] == StoppedError.exit_code:
        return StoppedError("stopped with process 0, which has saved")
    return MemberEndedError(first, int(codes[first]))


@contextlib.contextmanager
def told(agreement: Agreement | None) -> Iterator[None]:
    """Tells the others how what is done inside ended, and hears from them.

    All of them do something in it at the same place. Without an agreement
    there are no others.
    """
    if agreement is None:
        yield
        return
    try:
        with agreement.team.watch():
            yield
    except ProcessLostError:
        raise
    except Exception as error:
        if not agreement.over:
            with contextlib.suppress(ProcessLostError):
                agreement.exchange(getattr(error, "exit_code", 1))
        raise
    agreement.exchange()


@contextlib.contextmanager
def leading(agreement: Agreement | None) -> Iterator[None]:
    """Tells the others how the training on process 0 ended, and leaves them."""
    with told(agreement):
        yield
    if agreement:
        agreement.team.leave()
