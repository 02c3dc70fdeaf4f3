"""A process of a team, as the child of one that can say how it ended.

When another process of a team dies, JAX may end this one from native code,
without a word that a user would understand.
"""

import os
import signal
import sys

from kresnet.child_process import as_shell, run_child
from kresnet.errors import DeviceMissingError, StoppedError
from kresnet.notices import notify
from kresnet.signals import SIGNALS, say_ended

MEMBER = "KRESNET_MEMBER"
JOINED = "KRESNET_JOINED"  # the end of a pipe, as a file descriptor


def is_member() -> bool:
    """Whether this process was started by `supervise`."""
    return MEMBER in os.environ


def tell_parent() -> None:
    """Tells `supervise` that this member has met the others."""
    if JOINED in os.environ:
        os.write(int(os.environ[JOINED]), b"!")


def supervise(coordinator: str) -> int:
    """Runs this process's own command again, as a member.

    Args:
        coordinator: Where the processes meet, for the message.

    Returns:
        Its exit code. Where JAX ended it since another was lost, 75, and 69
        before they had met.
    """
    read, write = os.pipe()
    environment = {MEMBER: "1", JOINED: str(write)}
    code = run_child(sys.argv[1:], environment, pass_fds=[write])
    os.close(write)
    joined = os.read(read, 1)
    os.close(read)
    if code == -signal.SIGABRT and joined:
        notify(
            "another process of this training is gone; start all of them"
            " again, and it goes on from its last checkpoint"
        )
        return StoppedError.exit_code
    if code == -signal.SIGABRT:
        notify(
            f"--coordinator: {coordinator}: the processes have not met there:"
            " one did not come, is gone, or cannot reach the others"
        )
        return DeviceMissingError.exit_code
    if -code in SIGNALS:  # before it could say so itself
        say_ended(-code)
    return as_shell(code)


def end(code: int) -> None:
    """Ends a member at once: JAX would wait for processes that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
