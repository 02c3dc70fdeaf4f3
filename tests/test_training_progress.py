"""Signs of life: what a terminal and a log file show of a training."""

import io
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from kresnet.callbacks import IterationSchedule, Throughput, WarmUp
from rich.console import Console

from kresnet.training.logs.progress import ProgressLine, duration

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Training:
    """Steps of a training by hand, with a clock by hand."""

    def __init__(self, first=0, last=64_000, width=None, warm_up=None):
        self.now = 1_000.0
        self.shown = io.StringIO()
        self.throughput = Throughput()
        self.schedule = IterationSchedule(0.1, warm_up=warm_up)
        self.progress = ProgressLine(
            Console(
                file=self.shown,
                force_terminal=width is not None,
                width=width,
                _environ={"TERM": "xterm"},
            ),
            last,
            128,
            self.schedule,
            self.throughput,
            lambda: self.now,
        )
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd")
        model.optimizer.iterations.assign(first)
        for callback in (self.schedule, self.progress):
            callback.set_params({"logs_are_per_iteration": True})
            callback.set_model(model)
            callback.on_train_begin()

    def step(self, count=1, seconds=1.0, error=100.0):
        """A chunk of so many iterations."""
        self.schedule.on_train_batch_begin(0)
        self.progress.on_train_batch_begin(0)
        self.now += seconds
        if len(self.progress.last_losses()):  # the first one compiles
            self.throughput.seconds += seconds
            self.throughput.measured_iterations += count
        logs = {
            "loss": np.full(count, 2.5),
            "accuracy": np.full(count, 1 - error / 100),
        }
        self.progress.on_train_batch_end(0, logs)

    def row(self, validation_error):
        """A row of metrics.csv."""
        self.progress(
            {
                "iteration": self.progress.iteration,
                "training_loss": 2.5,
                "training_error": 87.5,
                "validation_error": validation_error,
            }
        )

    @property
    def lines(self):
        return self.shown.getvalue().splitlines()


def test_as_wide_as_the_terminal_are_iteration_of_total_errors_and_time_left():
    training = Training(last=64_000)
    training.step()
    training.step(count=50, seconds=100)
    training.row(100.0)
    training.step(count=10_000 - 51, seconds=20_000)
    line = training.progress.line

    place, left = "10,000 of 64,000", "30 h 9 min left"
    both = "error 100.0 %, validation 100.0 %"
    assert line(80) == f"{place}  {both}  rate 0.1  {left}"
    assert line(60) == f"{place}  error 100.0 %  {left}"
    assert line(40) == f"{place}  {left}"
    assert line(20) == line(3) == place
    assert line() == (
        f"{place}  training error 100.0 %  validation error 100.0 %"
        f"  loss 2.500  rate 0.1  64 images/s  {left}"
    )
    with training.progress.doing("evaluating"):
        assert line(80) == f"{place}  {both}  {left}  evaluating"
        assert line(60) == f"{place}  error 100.0 %  {left}  evaluating"
        assert line(40) == f"{place}  evaluating"
    assert "evaluating" not in line()


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 200])
def test_nothing_on_a_terminal_is_longer_than_it_is_wide(width):
    training = Training(first=50, last=64_000, width=width)
    with training.progress:
        for _ in range(3):
            training.step(count=500)
            training.row(12.5)
            with training.progress.doing("measuring"):
                pass

    shown = re.split(r"[\r\n]+", ESCAPE.sub("", training.shown.getvalue()))
    assert max(map(len, shown)) <= width
    assert any(" 1,550 of 64,000"[:width] in line for line in shown)


def test_without_a_terminal_every_row_is_a_line_that_stays():
    training = Training(last=300)
    training.step()
    training.step(count=99, seconds=99)
    training.row(25.0)
    training.step(count=200, seconds=200)
    training.row(20.0)

    assert training.lines == [
        "compiling",
        "100 of 300  training error 87.5 %  validation error 25.0 %"
        "  loss 2.500  rate 0.1  128 images/s  3 min left",
        "300 of 300  training error 87.5 %  validation error 20.0 %"
        "  loss 2.500  rate 0.1  128 images/s",
    ]


def test_without_a_terminal_no_silence_is_longer_than_ten_minutes():
    training = Training(last=20_000)
    training.step(seconds=500)  # compiles
    for _ in range(1_000):
        training.step(count=10, seconds=10)

    places = [line.partition(" of ")[0] for line in training.lines[1:]]
    said = [int(place.replace(",", "")) for place in places]
    assert said[:7] == [11, 21, 41, 81, 161, 321, 641]
    assert np.diff(said).max() == 600


def test_without_validation_images_nothing_is_said_of_their_error():
    training = Training()
    training.step()
    training.row(None)

    for width in (None, 80, 60, 40):
        assert "validation" not in training.progress.line(width)
    assert "training error 87.5 %" in training.lines[-1]


def test_a_resumed_run_shows_speed_and_time_left_once_they_are_measured():
    """Compiling, which is over, counts for neither."""
    training = Training(first=1_000, last=3_000)
    assert training.progress.line() == "1,000 of 3,000  compiling"
    training.step(seconds=300)
    assert training.progress.line().endswith("loss 2.500  rate 0.1")

    training.step(count=99, seconds=9.9)

    assert training.progress.line().endswith("1,280 images/s  3 min left")
    training.step(count=1_000, seconds=100)
    assert training.progress.line().endswith("1,280 images/s  90 s left")


def test_the_time_left_knows_of_evaluations_and_the_speed_does_not():
    training = Training(last=300)
    training.step()
    for _ in range(2):
        training.step(count=50, seconds=5)
        training.now += 45  # evaluates
        training.row(12.5)

    assert training.lines[-1].endswith("1,280 images/s  3 min left")


def test_the_warm_up_shows():
    training = Training(warm_up=WarmUp(over=2, until_training_error=80.0))
    training.step()
    assert training.progress.line().endswith("rate 0.01  warm-up")

    training.schedule.warm_up_ended_at = 1
    training.step()

    assert "warm-up" not in training.progress.line()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (3_599, "1 h 0 min"),
        (11_520, "3 h 12 min"),
        (47.6 * 3_600, "47 h 36 min"),
        (48 * 3_600, "2 days 0 h"),
    ],
)
def test_times_are_in_few_words(seconds, words):
    assert duration(seconds) == words


# Says of each line whether Keras and the data were there when it was written.
SCRIPT = """
import io, logging, os, sys

there = set()

def watch(event, arguments):
    if event == "open":
        there.update({"digits.csv.gz"} & {os.path.basename(str(arguments[0]))})

sys.addaudithook(watch)

class Told(io.StringIO):
    def write(self, text):
        there.update({"keras"} & set(sys.modules))
        text = text.replace("\\n", f" {sorted(there)}\\n")
        sys.__stdout__.write(text)
        return len(text)

sys.stderr = Told()
import kresnet

short = [
    "training.iterations=4",
    "training.learning_rate.at=[]",
    "training.evaluate_every=2",
]
folder = sys.argv[1]
"""
PLAIN = """
run = kresnet.train("digits", folder, overrides=[*short, "data.validation=0"])
assert logging.getLogger("tensorflow").filters == []
for _ in range(6):
    kresnet.evaluate(run)
import keras.wrappers
import sklearn
keras.wrappers.SKLearnClassifier(model=keras.Sequential)
"""
TERMINAL = """
from rich.console import Console
shown = io.StringIO()
console = Console(
    file=shown, force_terminal=True, width=60, _environ={"TERM": "xterm"}
)
kresnet.train(
    "digits", folder, overrides=short, console=console, gradients_every=2
)
assert "tensorflow" not in sys.modules
sys.__stdout__.write(shown.getvalue())
"""


def said(script, folder, **environment):
    """What a script says; native code would write to standard error."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT + script, folder],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_a_script_without_a_terminal_says_what_it_does_and_no_library_does(
    tmp_path,
):
    """Also where a terminal's colours are asked for, as on build servers.

    Six networks in one process look to TensorFlow like one traced again. Its
    level of logging is the one that JAX leaves behind.
    """
    lines = said(
        PLAIN,
        tmp_path / "run",
        KERAS_BACKEND="tensorflow",
        TF_CPP_MIN_LOG_LEVEL="1",
        FORCE_COLOR="1",
    ).splitlines()

    assert lines[0] == "loading Keras []"
    assert lines[1] == "loading the digits ['keras']"
    assert lines[2].endswith(" ['digits.csv.gz', 'keras']")
    words = [line.partition(" [")[0] for line in lines[2:]]
    assert words[:2] == [
        "building digits, seed 0",
        "measuring 1,437 training images",
    ]
    assert words[2] == "compiling"
    row = r"{} of 4  training error \d+\.\d %  loss \d\.\d{{3}}  rate 0\.1"
    rows = [word for word in words if re.match(row.format("[24]"), word)]
    assert [row[0] for row in rows] == ["2", "4"]
    assert "validation" not in "".join(words)
    assert words[-1] == "evaluating on the test images"


def test_a_terminal_shows_what_takes_time(tmp_path):
    shown = said(
        TERMINAL,
        tmp_path / "run",
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
    )
    lines = re.split(r"[\r\n]+", ESCAPE.sub("", shown))

    assert lines[0] == "loading Keras []"
    assert "loading the digits" in lines
    for what in (
        r"0 of 4  compiling",
        r"0 of 4  .*measuring",
        r"2 of 4  error \d+\.\d %  .* left  evaluating",
        r"4 of 4  .* evaluating",
    ):
        assert any(re.match(what, line) for line in lines), what
    assert lines.index("evaluating on the test images") > 0
    assert max(map(len, lines)) <= 60
