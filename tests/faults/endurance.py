"""A long training of a tiny net: does its process grow?"""

import dataclasses
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

EVERY = 50  # iterations between evaluations, and between checkpoints
MEGABYTES = 30  # more between the two quarters is growth
TINY = (
    "model.stem={kernel: 3, width: 4, stride: 2}",
    "model.stages=[{block: plain, blocks: 1, width: 4, stride: 2}]",
    "model.batch_norm.images_per_statistic=null",
    "training.batch_size=16",
    f"training.evaluate_every={EVERY}",
)


@dataclasses.dataclass
class Growth:
    """Medians over the second quarter of a run's iterations and the last.

    Attributes:
        samples: How often the process was looked at.
        megabytes: Resident memory.
        files: Open files.
    """

    samples: int
    megabytes: tuple[float, float]
    files: tuple[float, float]


def trained(folder, iterations):
    """Trains so many iterations and watches the process from outside.

    Linux only: reads /proc.

    Returns:
        What was seen, as `Growth`.
    """
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "kresnet", "train", "digits"),
            *(f"--set={change}" for change in TINY),
            f"--set=training.iterations={iterations}",
            f"--set=training.learning_rate.at=[{iterations // 2}]",
            f"--checkpoint-every={EVERY}",
            f"--out={folder}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = []
    while process.poll() is None:
        saved = [int(p.name) for p in folder.glob("checkpoints/0*")]
        own = Path("/proc") / str(process.pid)
        try:
            pages = int((own / "statm").read_text("ascii").split()[1])
            files = len(list((own / "fd").iterdir()))
        except OSError:  # it has just ended
            break
        megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        seen.append((max(saved, default=0), megabytes, files))
        time.sleep(0.02)
    _, said = process.communicate()
    if process.returncode != 0:
        raise AssertionError(said)
    return _growth(seen, iterations)


def _growth(seen, iterations):
    quarters = [
        [
            (megabytes, files)
            for iteration, megabytes, files in seen
            if start < 4 * iteration / iterations < start + 1
        ]
        for start in (1, 3)
    ]
    memory, files = zip(
        *(map(statistics.median, zip(*q, strict=True)) for q in quarters),
        strict=True,
    )
    return Growth(len(seen), memory, files)
