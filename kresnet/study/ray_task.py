"""What a Ray task does: train one run in a process that ends with it."""

import contextlib
import subprocess
from pathlib import Path

from kresnet.errors import StoppedError
from kresnet.machine.children import as_shell, start_child


class KilledError(Exception):
    """A run was killed, or stopped though the study was not: it is retried.

    Attributes:
        exit_code: The run's.
    """

    def __init__(self, exit_code: int):
        super().__init__(exit_code)
        self.exit_code = exit_code


def train_in_task(
    arguments: list[str], environment: dict[str, str], log: str
) -> int:
    """Runs `kresnet` on this node.

    A task that is cancelled, or whose worker is asked to end, lets the run save
    and stop.

    Args:
        arguments: Of the command line.
        environment: What to add to that of the node.
        log: Where the run's output is appended.

    Returns:
        The exit code of the run.

    Raises:
        KilledError: It was killed, or stopped by somebody else.
        OSError: The log cannot be written.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        process = start_child(arguments, environment, stdout=file, stderr=file)
    try:
        while process.poll() is None:
            # Not for longer: Ray interrupts between two instructions only.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
    finally:
        process.stdin.close()
        process.wait()
    code = as_shell(process.returncode)
    if code == StoppedError.exit_code or code > 128:
        raise KilledError(code)
    return code
