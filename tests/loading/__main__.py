"""Compares ways of loading photos: `python -m tests.loading FOLDER`.

Each subject is a process of its own; they run by turns, one at a time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from kresnet.data import Order, open_source
from kresnet.data.views import train_box
from kresnet.spec import load_spec

sys.path.insert(0, str(Path(__file__).parent))

import subjects

SPEC = """
name: loading
model:
  input: [{side}, {side}, 3]
  stem: {{kernel: 7, width: 8, stride: 2}}
  stages:
    - {{block: basic, shortcut: B, blocks: 1, width: 8, stride: 2}}
  classes: {classes}
  batch_norm: null
data:
  dataset: folder
  validation: 0
  views:
    train: {{area: [0.08, 1], aspect: [0.75, 1.3333]}}
    test: {{shorter_side: 256, crop: center}}
  transforms: []
training:
  batch_size: {batch}
  iterations: 1
  learning_rate: {{start: 0.1, divide_by: 10, at: []}}
  momentum: 0.9
  weight_decay: 0
"""


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.loading")
    parser.add_argument("folder", type=Path, help="holds train/ and test/")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument(
        "--torch", default=sys.executable, help="Python with torch and OpenCV"
    )
    parser.add_argument(
        "--only", nargs="+", choices=subjects.SUBJECTS, metavar="NAME"
    )
    options = parser.parse_args()
    names = options.only or list(subjects.SUBJECTS)
    rates = {name: [] for name in names}
    walls = {name: [] for name in names}
    firsts = {}
    with tempfile.TemporaryDirectory() as aside:
        job = write_job(Path(aside), options.folder, options.epochs)
        for _ in range(options.turns):
            for name in names:
                result = run(name, job, options.torch)
                rates[name].append(float(result["images"] / result["cpu"]))
                walls[name].append(float(result["images"] / result["wall"]))
                firsts[name] = result["first"].astype(float)
            turn = (f"{name} {rates[name][-1]:.0f}" for name in names)
            print("turn:", ", ".join(turn), flush=True)
    own = rates.get("kresnet")
    for name in names:
        print(
            f"{name}: {spread(rates[name], '.0f')} images per CPU-second",
            end="",
        )
        print(f", {statistics.median(walls[name]):.0f} a second", end="")
        if own and name != "kresnet":
            ratios = [a / b for a, b in zip(own, rates[name], strict=True)]
            print(f"; kresnet {spread(ratios, '.2f')} times", end="")
            apart = np.abs(firsts[name] - firsts["kresnet"])
            if "directory" not in name:
                print(f"; pixels apart {apart.mean():.2f} levels", end="")
        print()


def spread(values, form):
    """The median, and the least and the most."""
    middle = statistics.median(values)
    return f"{middle:{form}} ({min(values):{form}} to {max(values):{form}})"


def write_job(aside, folder, epochs):
    """Writes the images in the order of a run, with the boxes it draws."""
    folder = folder.absolute()
    classes = sum(entry.is_dir() for entry in os.scandir(folder / "train"))
    spec_file = aside / "loading.yaml"
    side, batch, seed = subjects.SIDE, subjects.BATCH, 0
    text = SPEC.format(side=side, batch=batch, classes=classes)
    spec_file.write_text(text, "utf-8")
    source = open_source(load_spec(spec_file), folder)
    indices = source.parts(0)[0].indices
    count = epochs * len(indices) // batch
    order = Order(indices, batch, seed)
    paths, boxes = [], []
    for i in range(count):
        images, _ = order.batch(i)
        for image, key in zip(images, order.view_keys(i), strict=True):
            name = source.splits["train"].names[image]
            paths.append(str(folder / "train" / name))
            with Image.open(paths[-1]) as opened:
                size = opened.size
            boxes.append(
                train_box(source.views.train, size, (side, side), int(key))
            )
    job = aside / "job.npz"
    np.savez(
        job,
        spec=str(spec_file),
        folder=str(folder),
        seed=seed,
        paths=paths,
        boxes=np.array(boxes, "int32"),
    )
    return job


def run(name, job, torch):
    """One subject in a process of its own."""
    python = torch if name[:6] in ("torchv", "opencv") else sys.executable
    result = job.with_name("result.npz")
    done = subprocess.run(
        [python, subjects.__file__, name, job, result],
        env=os.environ
        | {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    with np.load(result) as file:
        return dict(file)


if __name__ == "__main__":
    main()
