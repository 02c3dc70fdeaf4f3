"""Long fault campaigns: `python -m tests.faults`, from the repository."""

import argparse
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from faults import checkpoints, damage
from faults.disk import Disk
from faults.kills import killed_often


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--flips", type=int, default=1_000)
    parser.add_argument("--truncations", type=int, default=100)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"seed {options.seed}, {platform.platform()}")
    generator = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def hurt(kind, times):
            for i in range(times):
                own = folder / f"{kind.__name__}-{i}"
                checkpoints.damaged(own, kind, damage.some_file, generator)
                shutil.rmtree(own)
            return times

        _report(
            "bits flipped in checkpoints, each found",
            lambda: hurt(damage.flip, options.flips),
        )
        _report(
            "files of checkpoints cut, each found",
            lambda: hurt(damage.truncate, options.truncations),
        )
        _report(
            "operations of a save failed or killed, each survived",
            lambda: checkpoints.every_failure(Disk, folder),
        )
        _report(
            "kills of one training run, which ended bit for bit like another",
            lambda: killed_often(folder / "kills", options.kills, generator),
        )


def _report(what, campaign):
    start = time.perf_counter()
    count = campaign()
    took = time.perf_counter() - start
    print(f"{count:6,} {what} ({took:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
