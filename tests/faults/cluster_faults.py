"""Runs that a cluster disturbs again and again, compared with one undisturbed.

Both need what `tests/clusters.py` names.
"""

import json
import os
import subprocess
import sys
import time

import clusters
from faults.kills import content

SECONDS = 900  # that anything may take, far more than it needs


def fields(last):
    """What is set of a run of so many iterations."""
    return (
        f"training.iterations={last}",
        "training.learning_rate="
        f"{{start: 0.01, divide_by: 10, at: [{last // 2}]}}",
        f"training.evaluate_every={last // 10}",
    )


def preempted_often(folder, times, generator):
    """Preempts the run of a study under SLURM while it trains.

    Each preemption comes at a random moment of the ten seconds after a
    checkpoint that was written since the last one.

    Args:
        folder: Made here.
        times: How many. When a run ends before, another one is begun.
        generator: Of the moments.

    Returns:
        How many runs ended; each ended with the bits of one in one piece.
    """
    folder.mkdir()
    file = folder / "study.yaml"
    file.write_text(
        "name: preempted\nshows: That a preemption changes nothing.\nruns:\n"
        "  - {name: run, spec: digits, seeds: [0], checkpoint_every: 20,\n"
        f"     set: {json.dumps(fields(10_000))}}}\n"
    )

    def study(out, *options, **environment):
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "kresnet", "study"),
                *(file, f"--out={out}", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )

    _ends(study(folder / "alone", **clusters.ONE_THREAD), 0)
    expected = content(folder / "alone" / "run" / "seed0")
    done = runs = 0
    with clusters.Slurm(folder / "slurm") as slurm:
        while done < times:
            out = folder / f"{runs}"
            run = out / "run" / "seed0"
            process = study(out, "--engine=slurm", **slurm.environment)
            while done < times and _saves(run, process):
                time.sleep(generator.uniform(0, 10))
                slurm.preempt(1)
                _is_stopped(run, process)
                done += 1
            _ends(process, 0)
            assert content(run) == expected
            runs += 1
    return runs


def cut_often(folder, cuts, backend, generator):
    """Cuts the link between the two hosts of a team while it trains.

    A cut comes at a random moment of the five seconds after a checkpoint that
    was written since the last one, and lasts up to 80 seconds. If it ends the
    processes, the same commands go on.

    Args:
        folder: Made here.
        cuts: How many. When a run ends before, another one is begun.
        backend: Of Keras.
        generator: Of the moments and the lengths.

    Returns:
        The length of each cut in seconds, and whether it ended the processes;
        and how many runs ended, each with the bits of one that nothing
        disturbed.
    """
    folder.mkdir()
    seen, runs = [], 0
    with clusters.Hosts(folder) as hosts:

        def pair(out):
            return [
                subprocess.Popen(
                    [
                        *(*hosts.command(host), sys.executable),
                        *("-m", "kresnet", "train", "digits"),
                        *(f"--set={field}" for field in fields(2_000)),
                        *("--checkpoint-every=20", "--devices=cpu"),
                        *("--coordinator=10.77.0.1:7711", "--processes=2"),
                        *(f"--process={i}", f"--out={out}"),
                    ],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env={**os.environ, "KERAS_BACKEND": backend},
                )
                for i, host in enumerate(hosts.addresses)
            ]

        for process in pair(folder / "alone"):
            _ends(process, 0)
        expected = content(folder / "alone")
        while len(seen) < cuts:
            run = folder / f"{runs}"
            processes = pair(run)
            while len(seen) < cuts and _saves(run, processes[0]):
                time.sleep(generator.uniform(0, 5))
                seconds = generator.uniform(1, 80)
                hosts.lose_packets(1.0)
                time.sleep(seconds)
                hosts.lose_packets(0)
                ended = not _saves(run, processes[0]) and not _finished(run)
                if ended:
                    for process in processes:
                        _ends(process, 75)
                    processes = pair(run)
                seen.append((round(seconds), ended))
            for process in processes:
                _ends(process, 0)
            assert content(run) == expected
            runs += 1
    return seen, runs


def _saves(run, process):
    """Waits for a checkpoint after those that are there; or for the end."""
    before = _record(run).get("checkpoint")
    give_up = time.monotonic() + SECONDS
    while _record(run).get("checkpoint") in (None, before):
        assert time.monotonic() < give_up
        if process.poll() is not None or _finished(run):
            return False
        time.sleep(0.05)
    return not _finished(run)


def _is_stopped(run, process):
    """Waits until a run has stopped for the preemption, or is finished."""
    give_up = time.monotonic() + SECONDS
    while _record(run).get("status") == "running":
        assert time.monotonic() < give_up
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def _finished(run):
    return _record(run).get("status") == "finished"


def _record(run):
    try:
        return json.loads((run / "run.json").read_text())
    except FileNotFoundError:
        return {}


def _ends(process, code):
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == code, said
