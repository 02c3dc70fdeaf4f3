"""Small photos in folders, drawn by a seed."""

from pathlib import Path

import numpy as np
from PIL import Image

SPEC = """
name: photos
model:
  input: [16, 16, 3]
  stem: {kernel: 3, width: 8, stride: 2}
  stages:
    - {block: basic, shortcut: A, blocks: 1, width: 8, stride: 1}
  classes: 3
  batch_norm: {images_per_statistic: 8, momentum: 0.9, epsilon: 1e-5}
data:
  dataset: folder
  validation: 0
  views:
    train: {area: [0.08, 1], aspect: [0.75, 1.3333]}
    test: {shorter_side: 18, crop: center}
  statistics: 20
  transforms:
    - {layer: channel_mean}
    - {layer: rescale, divide_by: 255}
    - {layer: fancy_pca, stddev: 0.1}
    - {layer: random_flip}
training:
  batch_size: 8
  iterations: 12
  learning_rate: {start: 0.05, divide_by: 10, at: [10]}
  momentum: 0.9
  weight_decay: 1e-4
  evaluate_every: 6
"""
CLASSES = ("apple", "birch tree", "öl")


def write_photos(root: Path, splits=("train", "test"), count: int = 9) -> Path:
    """Writes `count` photos a class and split, and returns the folder."""
    rng = np.random.default_rng(0)
    for split in splits:
        for name in CLASSES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                height, width = rng.integers(20, 90, 2)
                small = rng.integers(0, 256, (4, 5, 3)).astype("uint8")
                image = Image.fromarray(small).resize((width, height))
                ending = ("jpg", "png", "webp", "bmp", "JPEG")[i % 5]
                image.save(folder / f"{i}.{ending}")
    return root


def write_spec(path: Path) -> Path:
    """Writes a spec of a network that these photos suit."""
    path.write_text(SPEC, "utf-8")
    return path
