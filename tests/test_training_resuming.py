"""Going on with a run: what must fit, and what is refused."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import keras
import pytest
import small_network
from rich.console import Console

from kresnet import cli
from kresnet.errors import (
    BadDataError,
    CannotWriteError,
    InputMissingError,
    SpecError,
)
from kresnet.records import folder as run_folder_module
from kresnet.training import train

OVERRIDES = (
    *small_network.OVERRIDES,
    "training.iterations=60",
    "training.learning_rate.at=[40]",
    "training.evaluate_every=20",
)
RUN = """
import sys
from kresnet.cli import main
sys.argv[1:] = ["train", "digits", *sys.argv[1:]]
main()
"""


def command(folder, *more, overrides=OVERRIDES):
    """Trains in a process of its own; returns exit code and stderr."""
    run = subprocess.run(
        [
            *(sys.executable, "-c", RUN, f"--out={folder}"),
            *(f"--set={override}" for override in overrides),
            *("--checkpoint-every=20", *more),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    code, err = command(folder)
    assert code == 0, err
    return folder


@pytest.fixture
def killed(whole, tmp_path):
    """The same run as if killed between iterations 40 and 60."""
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints" / "00000060")
    change_info(folder, status="running", iteration=40, checkpoint=40)
    return folder


def change_info(folder, **changes):
    path = folder / "run.json"
    info = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(info))


def again(folder, *overrides, **arguments):
    """Calls `train` on a folder where it must be refused before training."""
    train(
        "digits",
        folder,
        overrides=OVERRIDES + overrides,
        console=Console(quiet=True),
        **arguments,
    )


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(folder, error, match, *overrides, **arguments):
    """A refusal says why and leaves every file as it was."""
    before = content(folder)
    with pytest.raises(error, match=match):
        again(folder, *overrides, **arguments)
    assert content(folder) == before


def test_a_run_goes_on_without_its_run_json(killed, whole):
    (killed / "run.json").unlink()

    code, err = command(killed)

    assert code == 0
    assert "run.json: missing; going on from the checkpoint" in err
    for name in ("metrics.csv", "losses.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("overrides", "arguments", "what"),
    [
        ((), {"seed": 1}, "seed: 0 -> 1"),
        (("training.weight_decay=0",), {}, "the spec"),
    ],
)
def test_without_run_json_another_experiment_is_still_refused(
    killed, overrides, arguments, what
):
    (killed / "run.json").unlink()

    refused(killed, SpecError, what, *overrides, **arguments)


def test_another_spec_is_refused_also_when_spec_yaml_is_gone(killed):
    (killed / "spec.yaml").unlink()

    refused(killed, SpecError, "the spec", "training.momentum=0.8")


def test_how_often_to_evaluate_may_change(killed, whole):
    code, err = command(
        killed, overrides=(*OVERRIDES[:-1], "training.evaluate_every=10")
    )

    assert code == 0
    assert "from here on, training.evaluate_every: 20 -> 10" in err
    rows = (killed / "metrics.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["20", "40", "50", "60"]
    last = "checkpoints/00000060/weights.safetensors"
    assert (killed / last).read_bytes() == (whole / last).read_bytes()
    assert "evaluate_every: 10" in (killed / "spec.yaml").read_text()


def test_another_precision_is_another_experiment(killed):
    """A run of both would read as one of either."""
    change = "precision: float32 -> bfloat16"
    refused(killed, SpecError, change, precision="bfloat16")

    (killed / "run.json").unlink()

    refused(killed, SpecError, change, precision="bfloat16")


def test_rematerialising_changes_the_bits_and_not_the_experiment(killed):
    refused(
        killed,
        SpecError,
        "not be bit-identical .* rematerialize: False -> True",
        rematerialize=True,
        strict=True,
    )


def test_strict_refuses_a_run_that_lost_what_it_ran_on(killed):
    (killed / "run.json").unlink()

    lost = "--strict: run.json does not say the versions and hardware and"
    refused(killed, SpecError, lost, strict=True)


def test_strict_refuses_other_versions(killed):
    info = json.loads((killed / "run.json").read_text())
    change_info(killed, versions=info["versions"] | {"keras": "0"})

    code, err = command(killed, "--strict")

    assert code == 2
    assert "--strict" in err
    assert "keras: 0 -> " in err


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        ({"deterministic": True}, "deterministic: False -> True"),
        ({"precision": "bfloat16"}, "precision: float32 -> bfloat16"),
    ],
)
def test_strict_refuses_other_options_that_bits_depend_on(
    killed, arguments, change
):
    refused(killed, SpecError, change, strict=True, **arguments)


def test_numbers_of_another_size_are_another_experiment(killed):
    keras.config.set_floatx("float64")
    try:
        refused(killed, SpecError, "precision: float32 -> float64")
    finally:
        keras.config.set_floatx("float32")


def test_a_checkpoint_of_another_run_is_not_gone_on_from(killed):
    """Its digest says so, whatever run.json says."""
    info = json.loads((killed / "run.json").read_text())
    change_info(killed, identity=info["identity"] | {"seed": 1})

    foreign = r"00000040: belongs to another run .*\n  seed: 1 -> 0"
    refused(killed, BadDataError, foreign, seed=1)


def test_a_spec_that_was_changed_in_the_folder_is_not_gone_on_with(killed):
    spec = killed / "spec.yaml"
    spec.write_text(
        spec.read_text().replace("epsilon: 1.0e-05", "epsilon: 0.5")
    )

    refused(killed, BadDataError, r"spec\.yaml: was changed since the run")


@pytest.mark.parametrize("spec", ["there", "gone"])
def test_a_run_is_not_finished_before_its_last_iteration(killed, spec):
    """Whatever somebody wrote into run.json."""
    change_info(killed, status="finished")
    if spec == "gone":
        (killed / "spec.yaml").unlink()

    refused(
        killed, BadDataError, r"run\.json: iteration: must be \d+, the last"
    )


@pytest.mark.parametrize("where", ["__init__", "run"])
def test_memory_that_runs_out_ends_with_69_and_leaves_the_checkpoints(
    killed, monkeypatch, capsys, where
):
    """Of a device: when it takes the images, or in the training."""
    from kresnet.training.loop.steps_tensorflow import Steps

    def take_a_pebibyte(*_):
        keras.ops.ones((2**50,), "uint8")

    monkeypatch.setattr(Steps, where, take_a_pebibyte)
    before = content(killed / "checkpoints")
    arguments = ["train", "digits", f"--out={killed}"]
    arguments += [f"--set={override}" for override in OVERRIDES]

    code = cli.run(cli.app, arguments)

    assert code == 69
    said = " ".join(capsys.readouterr().err.split())
    assert f"{killed}: out of memory with batches of 128; a smaller" in said
    assert content(killed / "checkpoints") == before


def test_strict_refuses_another_machine_and_leaves_the_run_as_it_is(killed):
    info = json.loads((killed / "run.json").read_text())
    change_info(killed, hardware=info["hardware"] | {"cores": 0})

    refused(killed, SpecError, "--strict: .*cores: 0 -> ", strict=True)


@pytest.mark.slow
def test_a_run_goes_on_on_other_devices_and_says_that_bits_differ(killed):
    before = content(killed)
    code, err = command(killed, "--devices=cpu:2", "--strict")
    assert code == 2
    assert "devices: 1 cpu -> 2 cpu" in err
    assert content(killed) == before

    code, err = command(killed, "--devices=cpu:2")

    assert code == 0, err
    assert "not be bit-identical" in err
    info = json.loads((killed / "run.json").read_text())
    assert (info["status"], info["options"]["devices"]) == ("finished", "2 cpu")
    assert len((killed / "losses.csv").read_text().splitlines()) == 1 + 60


def test_gone_checkpoints_are_not_a_reason_to_begin_anew(killed):
    shutil.rmtree(killed / "checkpoints")

    refused(killed, InputMissingError, "checkpoint of iteration 40 was saved")


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    killed, whole
):
    shutil.rmtree(killed / "checkpoints")
    change_info(killed, iteration=0, checkpoint=None)

    code, err = command(killed)

    assert code == 0
    assert "ended before its first checkpoint" in err
    for name in ("metrics.csv", "losses.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_a_newest_checkpoint_that_is_gone_is_said(killed, whole):
    change_info(killed, checkpoint=50)

    code, err = command(killed)

    assert code == 0
    assert "the one of iteration 50 is gone; 10 iterations are lost" in err


@pytest.mark.parametrize("name", ["spec.yaml", "metrics.csv", "notes.txt"])
def test_a_folder_of_other_files_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")

    refused(tmp_path, CannotWriteError, f"no run.json: {name}")


def test_numbered_folders_and_a_lock_of_others_are_left_alone(tmp_path):
    (tmp_path / ".lock").write_text("held by another program")
    (tmp_path / "checkpoints" / "00000005").mkdir(parents=True)
    (tmp_path / "checkpoints" / "00000005" / "state").write_text("mine")

    refused(tmp_path, CannotWriteError, r"no run\.json: checkpoints")


@pytest.mark.parametrize("kind", ["pipe", "device", "large file"])
def test_a_lock_that_is_no_lock_is_not_read_for_ever(kind, tmp_path):
    lock = tmp_path / ".lock"
    if kind == "pipe":
        os.mkfifo(lock)
    elif kind == "device":
        lock.symlink_to("/dev/zero")
    else:
        lock.touch()
        os.truncate(lock, 2**40)

    with pytest.raises(CannotWriteError, match=r"\.lock: is not kresnet's"):
        run_folder_module.RunFolder(tmp_path).__enter__()


def test_a_lock_of_another_program_alone_is_left_alone(tmp_path):
    (tmp_path / ".lock").write_text("held by another program")

    refused(tmp_path, CannotWriteError, r"\.lock: is not kresnet's")


def test_a_lock_that_could_be_signed_in_part_only_is_taken(tmp_path):
    for signed in (b"", b"proc", b"process 1"):
        (tmp_path / ".lock").write_bytes(signed)
        with run_folder_module.RunFolder(tmp_path):
            assert (tmp_path / ".lock").read_bytes().startswith(b"process ")
        tmp_path.mkdir(exist_ok=True)


def test_an_empty_name_is_no_folder():
    with pytest.raises(SpecError, match="--out: must name a folder"):
        again("")


@pytest.mark.parametrize(
    "change", [lambda text: text[:60], lambda text: text.replace(",", ";")]
)
def test_a_log_that_was_changed_by_hand_is_not_continued(killed, change):
    path = killed / "metrics.csv"
    path.write_text(change(path.read_text()))

    code, err = command(killed)

    assert code == 65
    assert "metrics.csv: was changed since the checkpoint" in err


def test_a_checkpoint_whose_parts_are_folders_is_damaged(killed):
    for name in ("00000040", "00000020"):
        part = killed / "checkpoints" / name / "weights.safetensors"
        if part.exists():
            part.unlink()
            part.mkdir()

    with pytest.raises(BadDataError, match="every checkpoint is damaged"):
        again(killed)


def test_a_finished_run_is_found_finished_on_a_disk_that_cannot_be_written(
    whole, monkeypatch
):
    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(run_folder_module.Path, "mkdir", read_only)

    again(whole)


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        run_folder_module.shutil, "disk_usage", lambda _: usage(10, 9, 1)
    )

    with pytest.raises(CannotWriteError, match=r"need 0\.1 MB and 0\.0 MB"):
        again(tmp_path / "run")

    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".hidden").write_text("mine")
    with pytest.raises(CannotWriteError):
        again(tmp_path / "run")
    assert [p.name for p in (tmp_path / "run").iterdir()] == [".hidden"]


def test_a_folder_that_vanishes_does_not_hide_why_the_run_ended(tmp_path):
    def vanish():
        with run_folder_module.RunFolder(tmp_path / "run") as folder:
            shutil.rmtree(folder.path)
            raise CannotWriteError("the reason")

    with pytest.raises(CannotWriteError, match="the reason"):
        vanish()
