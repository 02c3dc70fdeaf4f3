"""CSV logs: appended, marked, cut back."""

import os

import pytest

from kresnet.errors import BadDataError, CannotWriteError
from kresnet.training.logs.log import CsvLog


@pytest.fixture
def log(tmp_path):
    return CsvLog(tmp_path / "log.csv", ("iteration", "loss"))


def row(iteration):
    return {"iteration": iteration, "loss": 0.1 * iteration}


def test_a_cut_takes_back_what_came_after_the_mark(log):
    log.append([row(1)])
    mark = log.get_state()
    text = log.path.read_text()
    log.append([row(2), row(3)])

    log.set_state(mark)

    assert log.path.read_text() == text == "iteration,loss\n1,0.1\n"


def test_a_cut_to_nothing_writes_the_header_again(log):
    empty = log.get_state()
    for mark in (empty, None):
        log.append([row(1)])
        log.set_state(mark)
        assert log.path.read_text() == ""

    log.append([row(2)])

    assert log.path.read_text() == "iteration,loss\n2,0.2\n"


@pytest.mark.parametrize("text", ["", "iteration,loss\n", "a;b\n" * 20])
def test_what_was_there_at_the_mark_must_still_be_there(log, text):
    log.append([row(1), row(2)])
    mark = log.get_state()
    log.path.write_text(text)

    with pytest.raises(BadDataError, match=r"log\.csv: was changed"):
        log.set_state(mark)


def test_a_folder_in_the_place_of_the_log_is_said(log):
    log.path.mkdir()

    for use in (lambda: log.append([row(1)]), lambda: log.set_state(None)):
        with pytest.raises(CannotWriteError, match=r"log\.csv"):
            use()


def test_a_pipe_in_the_place_of_a_log_is_not_waited_for(log):
    log.append([row(1)])
    mark = log.get_state()
    log.path.unlink()
    os.mkfifo(log.path)

    with pytest.raises(BadDataError, match=r"log\.csv: not a file but a pipe"):
        log.set_state(mark)
    with pytest.raises(CannotWriteError, match=r"log\.csv: cannot be written"):
        log.append([row(2)])


def test_a_link_to_itself_in_the_place_of_a_log_cannot_be_written(log):
    """Which is no full disk."""
    log.path.symlink_to(log.path.name)

    with pytest.raises(CannotWriteError, match="Too many levels"):
        log.set_state(None)
    with pytest.raises(CannotWriteError, match="Too many levels"):
        log.append([row(1)])
