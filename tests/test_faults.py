"""A short form of the fault campaigns; `python -m tests.faults` is the long."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from faults import (
    checkpoints,
    damage,
    data,
    endurance,
    full_disk,
    specs,
    tiny_disk,
)
from faults import stops as program
from faults.disk import Disk
from faults.kills import killed_often

from kresnet import sealed_folder
from kresnet.training.checkpoints import Checkpoints

FLIPS_AND_CUTS = [(damage.flip, 60), (damage.truncate, 20)]


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("kind", "times"), FLIPS_AND_CUTS)
def test_damage_to_a_checkpoint_is_found_and_the_one_before_it_used(
    tmp_path, kind, times, generator
):
    checkpoints.damaged_often(tmp_path, kind, times, generator)


@pytest.mark.parametrize(("kind", "times"), FLIPS_AND_CUTS)
def test_damage_to_the_cache_is_found_and_the_data_decoded_anew(
    tmp_path, kind, times, generator
):
    data.damaged_cache(tmp_path, kind, times, generator)


@pytest.mark.parametrize(
    ("kind", "times"),
    [(damage.flip, 12), (damage.truncate, 6), (data.cut_at_record, 6)],
)
def test_damage_to_a_file_of_records_is_refused_by_name(
    tmp_path, kind, times, generator
):
    data.damaged_shards(tmp_path, kind, times, generator)


@pytest.mark.parametrize("kind", [damage.flip, damage.truncate])
def test_damage_to_a_description_is_refused_or_changes_nothing(
    tmp_path, kind, generator
):
    data.damaged_description(tmp_path, kind, 12, generator)


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


def test_without_the_sums_the_campaigns_fail(tmp_path, monkeypatch, generator):
    def unchecked(folder):
        return json.loads((folder / "manifest.json").read_text())["content"]

    monkeypatch.setattr(sealed_folder, "verify", unchecked)

    # Wrong arrays that nobody noticed, or files that cannot be read.
    for campaign in (checkpoints.damaged_often, data.damaged_cache):
        with pytest.raises((AssertionError, ValueError)):
            campaign(tmp_path / campaign.__name__, damage.flip, 60, generator)


def test_a_disk_that_is_full_in_a_save_is_74_and_the_last_good_one_loads(
    tmp_path,
):
    assert full_disk.full_in_a_save(tmp_path / "runs", every=16) > 30


def test_a_read_only_file_system_is_73(tmp_path):
    if not tiny_disk.allowed():
        pytest.skip("this user may not mount a file system")
    script = 'mount -t tmpfs -o ro none "$0" && exec "$@"'
    train = (sys.executable, "-m", "kresnet", "train", "digits")

    run = subprocess.run(
        [
            *(*tiny_disk.OWN_NAMESPACE, "sh", "-c", script, tmp_path),
            *(*train, f"--out={tmp_path}/run"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 73
    assert "cannot be written: Read-only file system" in run.stderr


def test_a_disk_that_is_full_in_the_events_is_said_once(tmp_path):
    assert full_disk.full_in_the_events(tmp_path / "runs") > 200


def test_every_spec_is_accepted_or_refused_line_by_line(tmp_path, monkeypatch):
    """The same in process and as a command; few of them as commands."""
    found = specs.read_many(tmp_path, 500, 5, 0)

    assert found.different == 500
    assert 50 < found.accepted < 450
    monkeypatch.chdir(tmp_path)
    assert len(found.samples) == 5
    for content in found.samples:
        specs.check_command(content)


@pytest.fixture(scope="module")
def stops(tmp_path_factory):
    """What was said when a run was stopped again and again, and its folder."""
    folder = tmp_path_factory.mktemp("stops")
    run = subprocess.run(
        [sys.executable, program.__file__, folder / "run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr.count("Traceback") == 0
    return run.stdout.splitlines(), folder / "run-gone"


def test_on_each_signal_the_step_is_saved_and_the_code_is_75(stops):
    lines, _ = stops
    iterations = []
    for line, number in zip(lines[:-1], program.SIGNALS, strict=True):
        found = re.fullmatch(
            rf"75 (\d+) . stopped by {number.name} at iteration (\d+), saved.*",
            line,
        )
        assert int(found[1]) == int(found[2])
        iterations.append(int(found[1]))

    assert iterations == sorted(set(iterations))


def test_events_that_cannot_be_written_are_said_once_and_stop_nothing(stops):
    """Rows are written every iteration, and two checkpoints were saved."""
    lines, _ = stops

    assert [line.split()[2] for line in lines[:-1]] == ["0", "1", "1", "1"]


def test_a_folder_that_vanishes_during_training_is_73(stops):
    lines, folder = stops

    assert lines[-1].startswith("73 - 0 ")
    assert "cannot be written" in lines[-1]
    assert not folder.with_name("run").exists()
    newest = Checkpoints(folder / "checkpoints", print).newest()
    assert newest.iteration > 0


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="reads Linux's /proc"
)
def test_a_training_does_not_grow(tmp_path):
    """20 evaluations and saves in 1,000 iterations."""
    seen = endurance.trained(tmp_path / "run", 1_000)

    assert seen.megabytes[1] - seen.megabytes[0] < endurance.MEGABYTES
    assert seen.files[1] <= seen.files[0]


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_like_one_that_was_not(
    tmp_path, generator
):
    """Five kills, most of them soon after a checkpoint or in the next."""
    done = killed_often(tmp_path / "runs", 5, generator)

    assert (done.kills, done.runs) == (5, 1)
