"""The options of a training, the same from the shell and from Python."""

import inspect

import pytest

import kresnet
from kresnet.commands.train import train as command
from kresnet.errors import SpecError
from kresnet.training import Options
from kresnet.training.options import OWN

DEFAULTS = {name: field.default for name, field in Options.model_fields.items()}


def test_the_command_has_every_option_and_the_same_default():
    parameters = inspect.signature(command).parameters
    own = {"coordinator", "processes", "process"}  # a membership, in parts
    assert own <= parameters.keys()

    in_python = {"membership", "instruments", "callbacks"}  # objects
    for name, default in DEFAULTS.items():
        if name not in in_python:
            assert parameters[name].default == default, name


def test_an_option_that_there_is_not_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="'device'"):
        kresnet.train("digits", tmp_path / "run", device="cpu")


def test_a_value_out_of_range_is_refused_by_the_option_s_name(tmp_path):
    with pytest.raises(SpecError, match="-every: must be an integer from 1"):
        kresnet.train("digits", tmp_path / "run", checkpoint_every=0)


def test_processes_may_differ_in_what_no_chunk_and_no_program_depends_on():
    assert set(OWN) < DEFAULTS.keys()
    here = Options(data_dir="/here", devices="0", strict=True)
    there = Options(data_dir="/there", devices="1", wait_for_lock=1)

    assert here.shared == there.shared
    for name, value in (
        ("checkpoint_every", 7),
        ("responses_every", 7),
        ("response_images", 7),
        ("precision", "bfloat16"),
        ("rematerialize", True),
        ("deterministic", True),
    ):
        assert Options(**{name: value}).shared != here.shared, name
