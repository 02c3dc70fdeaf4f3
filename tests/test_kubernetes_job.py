"""The example of a Kubernetes Job knows this program and its exit codes."""

import signal
from pathlib import Path

import pytest
import typer
import yaml

from kresnet import cli, errors
from kresnet.machine.signals import SIGNALS

FILE = Path(__file__).parent.parent / "examples" / "kubernetes-job.yaml"
JOB = yaml.safe_load(FILE.read_text("utf-8"))["spec"]
[CONTAINER] = JOB["template"]["spec"]["containers"]


def test_every_exit_code_that_is_no_success_has_one_rule():
    errors_say = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.KresnetError)
    }
    signals_say = {128 + number for number in (*SIGNALS, signal.SIGKILL)}
    rules = [
        rule["onExitCodes"]
        for rule in JOB["podFailurePolicy"]["rules"]
        if "onExitCodes" in rule
    ]

    codes = [code for rule in rules for code in rule["values"]]

    assert sorted(codes) == sorted(errors_say | signals_say)
    assert {rule["operator"] for rule in rules} == {"In"}
    assert {rule["containerName"] for rule in rules} == {CONTAINER["name"]}


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (errors.StoppedError.exit_code, "Ignore"),
        (errors.DeviceMissingError.exit_code, "Count"),
        (128 + signal.SIGKILL, "Count"),
        (errors.SpecError.exit_code, "FailJob"),
        (errors.DiskFullError.exit_code, "FailJob"),
    ],
)
def test_what_may_work_later_is_tried_again_and_nothing_else(code, action):
    [found] = [
        rule["action"]
        for rule in JOB["podFailurePolicy"]["rules"]
        if code in rule.get("onExitCodes", {}).get("values", ())
    ]

    assert found == action
    assert JOB["template"]["spec"]["restartPolicy"] == "Never"


def test_its_command_line_is_one_of_kresnet():
    program, name, *arguments = CONTAINER["command"] + CONTAINER["args"]

    commands = typer.main.get_command(cli.app).commands
    commands[name].make_context(name, arguments)

    assert program == "kresnet"


def test_every_volume_that_is_mounted_is_there():
    mounted = {mount["name"] for mount in CONTAINER["volumeMounts"]}

    assert mounted == {v["name"] for v in JOB["template"]["spec"]["volumes"]}
