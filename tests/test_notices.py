"""Words to a stream that fails."""

import io

import pytest

from kresnet.notices import standard_error


class Full(io.StringIO):
    """As /dev/full: every write fails once it reaches the system."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), BrokenPipeError(), ValueError()]
)
def test_a_stream_that_fails_is_passed_over(monkeypatch, error):
    monkeypatch.setattr("sys.stderr", Full(error))

    standard_error().print("a notice")


def test_without_a_standard_error_nothing_is_said(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)

    standard_error().print("a notice")


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
@pytest.mark.parametrize("kind", [io.StringIO, object])
def test_what_is_no_terminal_gets_plain_lines(monkeypatch, name, kind):
    """Also where colours are asked for: no escape belongs in a log file."""
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr("sys.stderr", kind())

    assert not standard_error().is_terminal


def test_what_can_be_written_is(monkeypatch, capsys):
    standard_error().print("a notice")

    assert capsys.readouterr().err == "a notice\n"
