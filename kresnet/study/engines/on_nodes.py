"""What the runs of a study have in common that other machines train.

The folders of the study and of the data must be the same on every node.
"""

import contextlib
import dataclasses
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kresnet.errors import StoppedError
from kresnet.machine.children import GRACE, start_child
from kresnet.machine.surroundings import ARITHMETIC, THREADS
from kresnet.notices import notify
from kresnet.study.engines.local import command
from kresnet.study.plan import PlannedRun

# How often a run is begun again whose node, worker or process was lost.
RETRIES = 5
# Whoever ran it before may still be saving, or its file server may not know
# yet that the machine is gone.
WAIT_FOR_LOCK = GRACE + 240
# What the bits of a run depend on, or where its data are.
PASSED_ON = ("JAX_PLATFORMS", "KERAS_BACKEND", "KRESNET_DATA_DIR", *ARITHMETIC)
LAST_LINES = 20


def ready(
    waiting: Sequence[PlannedRun], pending: Iterable[PlannedRun]
) -> list[PlannedRun]:
    """The runs that begin with the weights of no run that is still to end."""
    unfinished = {each.folder for each in (*waiting, *pending)}
    return [each for each in waiting if each.source not in unfinished]


def arguments_on_node(
    each: PlannedRun, data_dir: str | os.PathLike[str] | None
) -> list[str]:
    """The arguments of `kresnet` on any node."""
    # A node has a current folder of its own.
    each = dataclasses.replace(
        each,
        spec_file=each.spec_file.absolute(),
        folder=each.folder.absolute(),
        source=each.source and each.source.absolute(),
    )
    return [
        *command(each, data_dir and Path(data_dir).absolute()),
        f"--wait-for-lock={WAIT_FOR_LOCK}",
    ]


def environment_on_node(cpus: int, gpus: int) -> dict[str, str]:
    """The variables of a run's process; without a GPU also its threads."""
    passed = {
        name: os.environ[name] for name in PASSED_ON if name in os.environ
    }
    if gpus:
        return passed  # Ray and SLURM name the GPUs of a run themselves
    threads = dict.fromkeys(THREADS, str(cpus))
    return {**passed, **threads, "CUDA_VISIBLE_DEVICES": ""}


def log_of(each: PlannedRun) -> Path:
    """The file of what a run says, beside its folder."""
    return each.folder.absolute().with_name(f"{each.folder.name}.log")


def start_run(
    arguments: Sequence[str],
    environment: dict[str, str],
    log: str,
    **options: Any,
) -> subprocess.Popen:
    """Starts `kresnet` on this node, its output added to a log file."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        return start_child(
            arguments, environment, stdout=file, stderr=file, **options
        )


def may_go_on(code: int) -> bool:
    """Says whether a run was stopped or killed, and has not ended."""
    return code == StoppedError.exit_code or code > 128


def say_last_lines(each: PlannedRun) -> None:
    """Says what a run said last, if anything."""
    with contextlib.suppress(OSError):
        said = log_of(each).read_text("utf-8", "replace").splitlines()
        notify(*said[-LAST_LINES:])
