"""A short form of the fault campaigns; `python -m tests.faults` is the long."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from faults import checkpoints, damage
from faults.disk import Disk
from faults.kills import killed_often

from kresnet import sealed_folder


@pytest.mark.parametrize(("kind", "times"), [("flip", 60), ("truncate", 20)])
def test_damage_to_a_checkpoint_is_found_and_the_one_before_it_used(
    tmp_path, kind, times
):
    generator = np.random.default_rng(0)
    for i in range(times):
        checkpoints.damaged(
            tmp_path / str(i),
            getattr(damage, kind),
            damage.some_file,
            generator,
        )


def test_whatever_fails_in_a_save_a_good_checkpoint_is_left(tmp_path):
    """Every operation, killed and with each error; at least fifteen each."""
    tried = checkpoints.every_failure(Disk, tmp_path)

    assert tried >= 4 * 15


def test_without_the_rename_the_campaign_fails(tmp_path, monkeypatch):
    def in_place(prefix, dir):
        folder = Path(dir) / "00000030"
        if (Path(dir) / "00000020").is_dir():
            folder.mkdir()
            return str(folder)
        return real(prefix=prefix, dir=dir)

    real, real_rename = tempfile.mkdtemp, Path.rename

    def rename(own, target):
        return None if own == target else real_rename(own, target)

    monkeypatch.setattr(sealed_folder.tempfile, "mkdtemp", in_place)
    monkeypatch.setattr(Path, "rename", rename)

    with pytest.raises(AssertionError, match="left behind"):
        checkpoints.every_failure(Disk, tmp_path)


def test_without_the_sums_the_campaign_fails(tmp_path, monkeypatch):
    def unchecked(folder):
        return json.loads((folder / "manifest.json").read_text())["content"]

    monkeypatch.setattr(sealed_folder, "verify", unchecked)
    generator = np.random.default_rng(0)

    def campaign():
        for i in range(60):
            checkpoints.damaged(
                tmp_path / str(i), damage.flip, damage.some_file, generator
            )

    # Wrong arrays that nobody noticed, or files that cannot be read.
    with pytest.raises((AssertionError, ValueError)):
        campaign()


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_like_one_that_was_not(tmp_path):
    """Five kills, most of them in the middle of a save."""
    generator = np.random.default_rng(0)

    assert killed_often(tmp_path / "runs", 5, generator) == 5
