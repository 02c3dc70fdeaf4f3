"""Importing Keras as the commands do."""

import subprocess
import sys


def test_keras_comes_without_plots_and_estimators_which_come_when_asked_for():
    script = """
import sys

from kresnet.machine.start_keras import import_keras_quietly

import_keras_quietly()
assert {"keras", "matplotlib", "sklearn"} & set(sys.modules) == {"keras"}
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], check=True, stderr=subprocess.PIPE
    )
    assert ran.stderr == b"loading Keras\n"


def test_what_was_imported_before_stays():
    script = """
import sys

import sklearn

from kresnet.machine.start_keras import import_keras_quietly

import_keras_quietly()
assert sys.modules["sklearn"] is sklearn
"""
    subprocess.run([sys.executable, "-c", script], check=True)
