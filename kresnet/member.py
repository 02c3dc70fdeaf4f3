"""A process of a team, as the child of one that can say how it ended.

When another process of a team dies, JAX may end this one from native code,
without a word that a user would understand.
"""

import os
import signal
import sys

from kresnet.child_process import as_shell, run_child
from kresnet.errors import StoppedError
from kresnet.notices import notify
from kresnet.signals import SIGNALS, say_ended

MEMBER = "KRESNET_MEMBER"


def is_member() -> bool:
    """Whether this process was started by `supervise`."""
    return MEMBER in os.environ


def supervise() -> int:
    """Runs this process's own command again, as a member.

    Returns:
        Its exit code. 75 also where JAX ended it since another was lost.
    """
    code = run_child(sys.argv[1:], {MEMBER: "1"})
    if code == -signal.SIGABRT:
        notify(
            "another process of this training is gone; start all of them"
            " again, and it goes on from its last checkpoint"
        )
        return StoppedError.exit_code
    if -code in SIGNALS:  # before it could say so itself
        say_ended(-code)
    return as_shell(code)


def end(code: int) -> None:
    """Ends a member at once: JAX would wait for processes that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
