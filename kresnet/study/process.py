"""One run of a study as a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from kresnet.study.plan import PlannedRun

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


def train_in_process(
    planned: PlannedRun, data_dir: str | os.PathLike[str] | None
) -> int:
    """Runs `kresnet train`, which continues what was begun.

    The run has a session of its own, so that a signal reaches it once: the
    ones that come here are passed on, and it saves and stops.

    Returns:
        The exit code of the run; of a signal that killed it, 128 + its number.
    """
    process = subprocess.Popen(
        command(planned, data_dir), start_new_session=True
    )
    before = {}
    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(
                number, lambda received, _: process.send_signal(received)
            )
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def command(
    planned: PlannedRun, data_dir: str | os.PathLike[str] | None = None
) -> list[str]:
    """The command line that trains one run of a study."""
    run = planned.run
    options = {
        "seed": planned.seed,
        "out": planned.folder,
        "data-dir": data_dir and Path(data_dir),
        "deepen": planned.source,
        "responses-every": run.responses_every,
        "gradients-every": run.gradients_every,
    }
    return [
        *(sys.executable, "-m", "kresnet", "train", str(planned.spec_file)),
        *(
            f"--{name}={value}"
            for name, value in options.items()
            if value is not None
        ),
    ]
