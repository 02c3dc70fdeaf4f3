"""A short form of the fault campaigns; `python -m tests.faults` is the long."""

import contextlib
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
    photos,
    specs,
    tiny_disk,
)
from faults import stops as program
from faults.disk import Disk
from faults.kills import killed_often

from kresnet import sealed_folder
from kresnet.errors import KresnetError
from kresnet.records.checkpoints import Checkpoints

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


def test_photos_that_are_none_are_named_by_every_command(tmp_path, generator):
    """One of each kind; not even a pipe stops a command."""
    counts = photos.beyond_use(tmp_path, len(photos.BEYOND_USE), generator)

    assert set(counts.values()) == {1}


def test_a_flipped_bit_of_a_photo_is_found_by_its_sum(tmp_path, generator):
    """Most of them decode without a word."""
    assert 10 <= photos.silent_flips(tmp_path, 20, generator) < 20


def test_whatever_fails_in_a_save_a_good_checkpoint_is_left(tmp_path):
    """Every operation, killed and with each error; at least twenty each.

    Three of them write the content of a file.
    """
    tried = checkpoints.every_failure(Disk, tmp_path)

    assert tried >= 4 * 20


def test_a_failure_that_nobody_hears_of_makes_the_campaign_fail(
    tmp_path, monkeypatch
):
    def deaf(checkpoints, checkpoint, keep=None):
        with contextlib.suppress(KresnetError):
            real(checkpoints, checkpoint, keep)

    real = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "save", deaf)

    with pytest.raises(AssertionError, match="not said: "):
        checkpoints.every_failure(Disk, tmp_path)


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


@pytest.mark.parametrize(
    ("campaign", "name"),
    [
        (checkpoints.damaged_often, "weights.safetensors"),
        (data.damaged_cache, "train_images.npy"),
    ],
)
def test_without_the_sums_the_campaigns_fail(
    tmp_path, monkeypatch, generator, campaign, name
):
    """The arrays alone are hurt: they are wrong, and nobody noticed."""

    def unchecked(folder):
        return json.loads((folder / "manifest.json").read_text())["content"]

    monkeypatch.setattr(sealed_folder, "verify", unchecked)

    with pytest.raises(AssertionError, match="wrong arrays"):
        campaign(
            tmp_path / "campaign",
            lambda path, own: damage.flip(path.with_name(name), own),
            60,
            generator,
        )


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


@pytest.mark.slow
def test_a_training_on_a_disk_that_others_fill_ends_with_74_and_goes_on(
    tmp_path,
):
    """On a real one of 1 MiB, where saves are tried at every size too."""
    if not tiny_disk.allowed():
        pytest.skip("this user may not mount a file system")

    run = subprocess.run(
        [
            *(*tiny_disk.OWN_NAMESPACE, sys.executable, tiny_disk.__file__),
            *(tmp_path, "1", "0", "100"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    saves, runs = run.stdout.splitlines()
    assert int(saves.split()[0]) > 10
    assert runs == "1 times a training ended with 74, had room and went on"


def test_a_disk_that_is_full_in_the_events_is_said_once(tmp_path):
    assert full_disk.full_in_the_events(tmp_path / "runs") > 200


def test_every_spec_is_accepted_or_refused_line_by_line(tmp_path, whole_form):
    """The same as commands, none with more than a CPU-second or 300 MB.

    The campaign's own program: it fails if one takes more.
    """
    commands = 50 if whole_form else 10

    run = subprocess.run(
        [sys.executable, specs.__file__, tmp_path, "500", str(commands), "0"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    found = re.fullmatch(
        r"500 specs: (\d+) accepted, the others refused .*\n"
        rf"{commands} of them as commands: .*\n",
        run.stdout,
    )
    assert 50 < int(found[1]) < 450


@pytest.mark.parametrize(
    ("seconds", "megabytes"), [(1.1, 100.0), (0.1, 301.0), (0.1, 100.0)]
)
def test_a_command_that_takes_too_much_makes_the_campaign_fail(
    monkeypatch, tmp_path, capsys, seconds, megabytes
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        specs, "check_command", lambda content: (seconds, megabytes)
    )
    monkeypatch.setattr(specs, "own_megabytes", lambda: 60.0)

    code = 0
    try:
        specs.main(tmp_path, 20, 2, 0)
    except SystemExit as end:
        code = end.code

    assert bool(code) == (seconds > 1 or megabytes > 300)
    assert "2 of them as commands" in capsys.readouterr().out


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
    tmp_path, generator, whole_form
):
    """Most of the kills are soon after a checkpoint or in the next."""
    kills, last = (5, 400) if whole_form else (1, 100)

    done = killed_often(tmp_path / "runs", kills, generator, last=last)

    assert (done.kills, done.runs) == (kills, 1)
