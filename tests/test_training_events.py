"""TensorBoard events, read back by TensorBoard."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from kresnet.training.logs.events import Events


def row(iteration, error):
    return {
        "iteration": iteration,
        "training_error": error,
        "validation_error": None,
    }


@pytest.fixture
def notices():
    return []


def scalars(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    assert events.Tags()["scalars"] == ["training_error"]
    return [(e.step, e.value) for e in events.Scalars("training_error")]


def test_rows_are_scalars_by_iteration(tmp_path, notices):
    events = Events(tmp_path / "events", 0, notices.append)
    for iteration, error in ((100, 50.0), (200, 25.0)):
        events(row(iteration, error))
    events.close()

    assert scalars(tmp_path / "events") == [(100, 50.0), (200, 25.0)]
    assert notices == []


def test_what_an_interrupted_run_wrote_past_its_checkpoint_is_dropped(
    tmp_path, notices
):
    first = Events(tmp_path / "events", 0, notices.append)
    for iteration in (100, 200, 300):
        first(row(iteration, 50.0))
    first.close()
    second = Events(tmp_path / "events", 200, notices.append)
    for iteration in (300, 400):
        second(row(iteration, 25.0))
    second.close()

    assert scalars(tmp_path / "events") == [
        (100, 50.0),
        (200, 50.0),
        (300, 25.0),
        (400, 25.0),
    ]


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, notices):
    (tmp_path / "events").write_text("a file")
    events = Events(tmp_path / "events", 0, notices.append)
    for iteration in (100, 200):
        events(row(iteration, 50.0))
    events.close()

    assert len(notices) == 1
    assert "no TensorBoard events" in notices[0]
