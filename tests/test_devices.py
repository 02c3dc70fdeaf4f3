"""Choosing devices: what exists, and what the batch can be spread over."""

import contextlib
import subprocess
import sys

import pytest

from kresnet.errors import DeviceMissingError, SpecError
from kresnet.machine.devices import (
    Batch,
    DeviceRequest,
    Devices,
    choose_devices,
    parse_devices,
)
from kresnet.machine.place import Placement

REFUSED = ["", "1 2", "²", "none", "0", "-1", "1.5", "0,0", "0,,1", "all,0"]
REFUSED += ["٢", "cpu:٢", "gpu:٢", "0,٢"]
REFUSED += ["gpu", "gpu:", "tpu:0", "cpu:0", "cpu:9999", "cpu:0,cpu:1"]
FOUR = ("H200", "H200", "H200", "H200")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (None, None),
        ("all", DeviceRequest("gpu")),
        ("2", DeviceRequest("gpu", 2)),
        ("0,2", DeviceRequest("gpu", ids=(0, 2))),
        ("gpu:3,gpu:1", DeviceRequest("gpu", ids=(3, 1))),
        ("GPU:1", DeviceRequest("gpu", ids=(1,))),
        ("cpu", DeviceRequest("cpu", 1)),
        ("cpu:4", DeviceRequest("cpu", 4)),
    ],
)
def test_what_was_asked_for_is_read(text, want):
    assert parse_devices(text) == want


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused_with_what_is_allowed(text):
    with pytest.raises(SpecError, match=r"--devices: must be .* Received: "):
        parse_devices(text)


def choose(text, gpus=FOUR, batch=128, group=64, backend="tensorflow"):
    spread = Batch(batch, group, backend)
    return choose_devices(parse_devices(text), gpus, spread)


def test_without_gpus_it_is_one_cpu_device():
    assert choose(None, gpus=()) == (Devices("cpu", (0,)), None)


def test_the_default_takes_as_many_gpus_as_groups_can_be_spread_over():
    devices, notice = choose(None)

    assert devices == Devices("gpu", (0, 1))  # 128 images in groups of 64
    assert "using 2 of 4 GPUs" in notice
    assert "1, 2" in notice


def test_on_jax_the_default_takes_as_many_as_divide_the_batch():
    assert choose(None, backend="jax") == (Devices("gpu", (0, 1, 2, 3)), None)
    three, notice = choose(None, gpus=FOUR[:3], backend="jax")
    assert three == Devices("gpu", (0, 1))
    assert "using 2 of 3 GPUs" in notice


@pytest.mark.parametrize("text", ["4", "all", "0,1,2,3", "cpu:4"])
def test_a_group_of_batch_norm_never_spans_devices_on_tensorflow(text):
    with pytest.raises(SpecError, match="multiple of 256, such as 256"):
        choose(text)
    assert len(choose(text, batch=256)[0].ids) == 4
    assert len(choose(text, backend="jax")[0].ids) == 4


def test_the_nearest_batches_are_named():
    with pytest.raises(SpecError, match="multiple of 3, such as 126 or 129"):
        choose("3", backend="jax")


def test_the_whole_batch_as_one_group_is_refused_on_two_devices():
    with pytest.raises(SpecError, match="images_per_statistic"):
        choose("2", group=None)
    assert choose(None, group=None)[0] == Devices("gpu", (0,))
    assert len(choose("2", group=None, backend="jax")[0].ids) == 2


@pytest.mark.parametrize(
    ("text", "gpus", "missing"),
    [
        ("2", ("H200",), "gpu:1"),
        ("0,3", ("H200", "H100"), "gpu:3"),
        ("all", (), "any GPU"),
        ("1", (), "gpu:0"),
    ],
)
def test_missing_devices_are_named_and_those_there_are_listed(
    text, gpus, missing
):
    with pytest.raises(DeviceMissingError, match=missing) as raised:
        choose(text, gpus)

    for name in gpus or ("no GPU",):
        assert name in str(raised.value)
    assert raised.value.exit_code == 69


@pytest.mark.parametrize(
    ("ids", "more"), [((0, 1), {}), ((0, 2), {"device_ids": [0, 2]})]
)
def test_a_record_says_which_gpus_if_not_the_first(ids, more):
    placement = Placement(Devices("gpu", ids), contextlib.nullcontext)

    assert placement.conditions == {"devices": "2 gpu"} | more


@pytest.mark.slow
def test_the_command_says_what_a_training_would_use():
    command = [sys.executable, "-m", "kresnet", "devices", "resnet20"]

    two = subprocess.run(
        [*command, "--devices", "cpu:2"],
        capture_output=True,
        text=True,
        check=False,
    )
    many = subprocess.run(
        [*command, "--devices", "cpu:3"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert two.returncode == 0, two.stderr
    assert "cpu:0, cpu:1: batches of 128, 64 images a device" in two.stdout
    assert many.returncode == 2
    assert "multiple of 192" in many.stderr
