"""What a signal does before, during and after a command."""

import signal
import subprocess
import sys

import pytest

from kresnet.machine.signals import REPEAT_SECONDS, Heard


@pytest.mark.parametrize(
    ("first", "second", "after", "new"),
    [
        ("SIGTERM", "SIGTERM", 0.105, False),
        ("SIGUSR1", "SIGUSR1", REPEAT_SECONDS - 0.1, False),
        ("SIGTERM", "SIGTERM", REPEAT_SECONDS, True),
        ("SIGTERM", "SIGUSR1", 0.1, True),
        ("SIGINT", "SIGINT", 0.1, True),
    ],
)
def test_the_same_signal_within_two_seconds_is_a_repeat(
    first, second, after, new
):
    now = 0.0
    heard = Heard(lambda: now)

    assert heard.note(getattr(signal, first))
    now = after
    assert heard.note(getattr(signal, second)) is new


EARLY = """
import signal, time
from kresnet.machine.signals import ENDING

ENDING.listen()
signal.raise_signal(signal.SIGTERM)
while True:  # as imports would
    time.sleep(1)
"""


def test_a_signal_during_the_imports_is_one_line():
    done = subprocess.run(
        [sys.executable, "-c", EARLY], stderr=subprocess.PIPE, text=True
    )

    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == "kresnet: ended by SIGTERM\n"


def test_a_signal_while_keras_is_loaded_is_one_line(tmp_path):
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "kresnet", "train", "digits"),
            f"--out={tmp_path / 'run'}",
        ],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = process.stderr.readline()
        process.terminate()
        said += process.stderr.read()

    assert process.returncode == 128 + signal.SIGTERM
    assert said == "loading Keras\nkresnet: ended by SIGTERM\n"
    assert list(tmp_path.iterdir()) == []
