"""Long fault campaigns: `python -m tests.faults`, from the repository."""

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import clusters
from faults import (
    checkpoints,
    cluster_faults,
    damage,
    data,
    endurance,
    full_disk,
    photos,
    serving,
    specs,
    tiny_disk,
)
from faults.disk import Disk
from faults.kills import killed_often

COUNTS = {
    "flips": 1_000,
    "photos": 100,
    "truncations": 100,
    "full-runs": 5,
    "specs": 10_000,
    "commands": 50,
    "iterations": 10_000,
    "batches": 100,
    "calls": 1_000,
    "kills": 100,
    "preemptions": 20,
    "cuts": 10,
}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    for name, count in COUNTS.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=CAMPAIGNS, metavar="NAME")
    options = parser.parse_args()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    print(f"seed {options.seed}, commit {commit}, {platform.platform()},")
    print(", ".join(f"{p} {version(p)}" for p in ("tensorflow", "keras")))
    with tempfile.TemporaryDirectory() as name:
        for campaign in options.only or CAMPAIGNS:
            folder = Path(name) / campaign
            folder.mkdir()
            start, cpu = time.perf_counter(), _cpu_seconds()
            # Of its own: a campaign does not depend on those before it.
            options.generator = np.random.default_rng(options.seed)
            for line in CAMPAIGNS[campaign](folder, options):
                print(f"{campaign}: {line}", flush=True)
            took, cpu = time.perf_counter() - start, _cpu_seconds() - cpu
            print(f"{campaign}: {took:.0f} s, {cpu:.0f} CPU-seconds")


def _cpu_seconds():
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
    )


def _damage(hurt, kinds, end="found"):
    """A campaign of flipped bits and of cuts."""

    def campaign(folder, options):
        for kind, what in kinds.items():
            times = (
                options.flips if kind is damage.flip else options.truncations
            )
            own = folder / kind.__name__
            done = hurt(own, kind, times, options.generator)
            yield f"{done:,} {what}, each {end}"

    return campaign


FLIPS_AND_CUTS = {
    damage.flip: "flipped bits",
    damage.truncate: "cut files",
}


def _saves(folder, options):
    tried = checkpoints.every_failure(Disk, folder)
    yield f"{tried:,} operations of a save failed or killed, each survived"


def _full_disk(folder, options):
    tried = full_disk.full_in_a_save(folder / "save")
    yield f"{tried:,} sizes of a disk that was full in a save"
    tried = full_disk.full_in_the_events(folder / "events")
    yield f"{tried:,} sizes of one that was full in TensorBoard's file"
    if not tiny_disk.allowed():
        yield "not run: a real full disk; this user may not mount one"
        return
    disk = folder / "tmpfs"
    disk.mkdir()
    yield from _program(
        *tiny_disk.OWN_NAMESPACE,
        *(sys.executable, tiny_disk.__file__, disk),
        *(options.full_runs, options.seed),
    )


def _specs(folder, options):
    # In a process of its own, whose memory is that of reading specs.
    numbers = options.specs, options.commands, options.seed
    yield from _program(sys.executable, specs.__file__, folder, *numbers)


def _program(*command):
    run = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True
    )
    return run.stdout.splitlines()


def _endurance(folder, options):
    seen = endurance.trained(folder / "run", options.iterations)
    yield f"{options.iterations:,} iterations, second quarter and last: {seen}"
    memory, files = seen.megabytes, seen.files
    if memory[1] - memory[0] > endurance.MEGABYTES or files[1] > files[0]:
        raise AssertionError("the process grows")


def _photos(folder, options):
    counts = photos.beyond_use(
        folder / "files", options.photos, options.generator
    )
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    yield f"each named by training, verifying and predicting: {said}"
    silent = photos.silent_flips(
        folder / "flips", options.flips, options.generator
    )
    yield (
        f"{options.flips:,} flipped bits, each found by its sum;"
        f" {silent:,} decoded without a word"
    )


def _export(folder, options):
    run, exported = serving.exported(folder)
    largest = serving.equal_to_predict(
        run, exported, options.batches, options.generator
    )
    yield f"{options.batches:,} batches, differing by at most {largest:.1e}"
    done = serving.equal_in_threads(
        run, exported, 8, options.calls, options.generator
    )
    yield f"{done:,} calls from 8 threads, bit for bit as from one"


def _kills(folder, options):
    done = killed_often(
        folder / "runs", options.kills, options.generator, early=0.25
    )
    yield f"{done}"


def _possible(reason_without, campaign):
    """A campaign that says why it is not run where it cannot be."""

    def tried(folder, options):
        reason = reason_without()
        if reason is None:
            yield from campaign(folder, options)
        else:
            yield f"not run: {reason}"

    return tried


def _preemptions(folder, options):
    runs = cluster_faults.preempted_often(
        folder / "runs", options.preemptions, options.generator
    )
    yield f"{options.preemptions} preemptions of {runs} runs, bits equal"


def _cuts(folder, options):
    for backend in ("tensorflow", "jax"):
        seen, runs = cluster_faults.cut_often(
            folder / backend, options.cuts, backend, options.generator
        )
        harmless = [seconds for seconds, ended in seen if not ended]
        ending = [seconds for seconds, ended in seen if ended]
        yield (
            f"{backend}: cuts of {harmless} s did nothing, of {ending} s ended"
            f" both processes with 75; {runs} runs, bits equal"
        )


CAMPAIGNS = {
    "checkpoints": _damage(checkpoints.damaged_often, FLIPS_AND_CUTS),
    "cache": _damage(data.damaged_cache, FLIPS_AND_CUTS),
    "shards": _damage(
        data.damaged_shards,
        {**FLIPS_AND_CUTS, data.cut_at_record: "files cut between records"},
    ),
    "descriptions": _damage(
        data.damaged_description, FLIPS_AND_CUTS, "found or of no consequence"
    ),
    "saves": _saves,
    "full-disk": _full_disk,
    "photos": _photos,
    "specs": _specs,
    "endurance": _endurance,
    "export": _export,
    "kills": _kills,
    "preemptions": _possible(clusters.reason_without_slurm, _preemptions),
    "cuts": _possible(clusters.reason_without_hosts, _cuts),
}


if __name__ == "__main__":
    main()
