"""Runs on photos: trained, killed and continued, used, exported."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import photo_folder
import pytest

import kresnet
from kresnet.data import feed
from kresnet.errors import InputMissingError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with photos and a spec."""
    home = tmp_path_factory.mktemp("home")
    photo_folder.write_photos(home / "photos", ("train", "test", "val"))
    photo_folder.write_spec(home / "photos.yaml")
    return home


def train(home, backend, out):
    """Begins to train; what the process says is in `said(home, out)`."""
    with (home / f"{out}.log").open("w") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "kresnet", "train", "photos.yaml"),
                *("--data-dir", "photos", "--out", out),
                *("--checkpoint-every", "2"),
            ],
            cwd=home,
            env={**os.environ, "KERAS_BACKEND": backend},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def said(home, out):
    return (home / f"{out}.log").read_text("utf-8")


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def run(request, home):
    """A finished run."""
    pytest.importorskip(request.param)
    out = f"run-{request.param}"
    process = train(home, request.param, out)
    assert process.wait() == 0, said(home, out)
    return home / out


def weights(run: Path) -> bytes:
    newest = max((run / "checkpoints").iterdir())
    assert newest.name == "00000012"
    return (newest / "weights.safetensors").read_bytes()


def test_a_killed_run_goes_on_to_the_same_bits(run, home):
    """An epoch has 3.4 iterations: that of the checkpoint is within one."""
    backend = run.name.partition("-")[2]
    out = f"killed-{backend}"
    process = train(home, backend, out)
    while not list(home.glob(f"{out}/checkpoints/0*")):
        assert process.poll() is None, said(home, out)
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()

    again = train(home, backend, out)

    assert again.wait() == 0, said(home, out)
    assert "continuing at iteration" in said(home, out)
    got, want = (folder / "losses.csv" for folder in (home / out, run))
    assert got.read_bytes() == want.read_bytes()
    assert weights(home / out) == weights(run)


def test_the_record_has_class_names_and_the_versions_of_what_decodes(run):
    record = json.loads((run / "run.json").read_text("utf-8"))

    assert record["class_names"] == list(photo_folder.CLASSES)
    assert {"pillow", "libjpeg"} <= set(record["versions"])
    assert record["test_error"] is not None
    assert "statistics: 20" in (run / "spec.yaml").read_text("utf-8")


USE = """
import sys
import numpy as np
import kresnet
from pathlib import Path
from kresnet.evaluation import evaluate
from kresnet.exporting import export
from kresnet.prediction import predict

run = sys.argv[1]
evaluation = evaluate(run, data_dir="photos")
assert evaluation.protocol.views.startswith("one crop in the centre, 16×16")
assert evaluate(run, "validation", data_dir="photos").protocol.images == 27
evaluate(run, batch_norm="re-estimated", data_dir="photos")
photos = sorted(Path("photos/test").rglob("*.*"))
found = predict(run, photos)
names = {name for each in found for name, _ in each.classes}
assert names == {"apple", "birch tree", "öl"}, names
wrong = np.mean([
    each.classes[0][0] != each.path.parent.name for each in found
])
np.testing.assert_allclose(100 * wrong, evaluation.error)
if "tensorflow" in run:
    exported = export(run, data_dir="photos")
    again = predict(exported, photos)
    assert [e.classes[0][0] for e in again] == [e.classes[0][0] for e in found]
    assert evaluate(exported, data_dir="photos").error == evaluation.error
"""


def test_a_run_is_evaluated_predicts_and_is_exported(run, home):
    """The error counted from what `predict` says is the evaluation's."""
    backend = run.name.partition("-")[2]
    result = subprocess.run(
        [sys.executable, "-c", USE, run.name],
        cwd=home,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_both_backends_are_given_the_same_pixels(home):
    """Losses of the first iteration differ by rounding alone."""
    losses = [
        float(rows.read_text().splitlines()[1].split(",")[1])
        for rows in home.glob("run-*/losses.csv")
    ]

    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


def test_a_photo_that_breaks_ends_a_run_with_its_name_and_loses_nothing(home):
    """Put back, the run goes on."""
    copy = home / "photos"
    photo = copy / "train" / "öl" / "3.bmp"
    sound = photo.read_bytes()
    photo.write_bytes(b"x" * len(sound))  # the identity stays

    process = train(home, "tensorflow", "broken")

    assert process.wait() == 65, said(home, "broken")
    photo.write_bytes(sound)
    assert "3.bmp: not an image" in said(home, "broken")
    assert "Traceback" not in said(home, "broken")
    process = train(home, "tensorflow", "broken")
    assert process.wait() == 0, said(home, "broken")


class Moves(keras.callbacks.Callback):
    """Moves a file away after the first iterations."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_batch_end(self, batch, logs=None):
        if self.path.exists():
            self.path.rename(self.path.with_suffix(".away"))


def test_a_photo_that_vanishes_in_a_run_ends_it_and_back_it_goes_on(
    tmp_path, monkeypatch
):
    """Read one batch ahead; each epoch of 3.4 iterations reads the photo."""
    photos = photo_folder.write_photos(tmp_path / "photos")
    spec = photo_folder.write_spec(tmp_path / "photos.yaml")
    monkeypatch.setattr(feed, "MOST_BYTES", 1)

    def train(out, *callbacks):
        return kresnet.train(
            spec,
            tmp_path / out,
            data_dir=photos,
            checkpoint_every=1,
            callbacks=callbacks,
        )

    whole = train("whole")
    photo = photos / "train" / "öl" / "3.bmp"

    with pytest.raises(
        InputMissingError, match=r"3\.bmp: there is no"
    ) as ended:
        train("broken", Moves(photo))

    assert ended.value.exit_code == 66
    saved = max((tmp_path / "broken" / "checkpoints").iterdir())
    assert 1 <= int(saved.name) < 12
    photo.with_suffix(".away").rename(photo)
    again = train("broken")
    for name in ("losses.csv", "metrics.csv"):
        assert (again / name).read_bytes() == (whole / name).read_bytes()
    assert weights(again) == weights(whole)
