"""Room on the disk, asked before anything is trained."""

from collections import namedtuple

import pytest

import kresnet
from kresnet.errors import CannotWriteError
from kresnet.records import folder as run_folder
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.spec import load_spec
from kresnet.trained.arrays import to_arrays
from kresnet.training.models import make_models
from kresnet.training.saving import CHECKPOINTS, checkpoint_bytes

WHITENED = (
    "data.transforms=[{layer: zca_whitening, epsilon: 1.0}]",
    # A small net, so that most of its checkpoint is the matrix.
    "model.stages=[{block: plain, blocks: 1, width: 4, stride: 1}]",
    "model.stem.width=4",
)


def size(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def saved(model, folder):
    """Size of a checkpoint of untrained weights, but for a real one's state."""
    Checkpoints(folder, print).save(
        Checkpoint(
            iteration=1,
            weights=to_arrays(model.weights),
            optimizer=to_arrays(model.optimizer.variables),
            state={"schedule": {"errors": [10 / 3] * 50}},
            identity=Identity(recipe="0" * 64, seed=0, data="0" * 64),
        )
    )
    return size(folder)


@pytest.mark.parametrize("overrides", [(), WHITENED])
def test_the_estimate_is_a_checkpoint_and_little_more(tmp_path, overrides):
    model = make_models(load_spec("digits", overrides), 0, "float32").model

    estimate = checkpoint_bytes(model)

    found = saved(model, tmp_path / "checkpoints")
    # Names and manifest of nets as small as these are below 20 KB.
    assert found <= estimate <= 1.01 * found + 20_000


def test_four_checkpoints_of_a_run_need_no_more_than_was_asked_for(digits_run):
    newest = max((digits_run / "checkpoints").iterdir())
    model = make_models(load_spec("digits"), 0, "float32").model

    assert 4 * size(newest) <= CHECKPOINTS * checkpoint_bytes(model)


@pytest.mark.parametrize(
    ("name", "pays"),
    [
        ("00000010", True),
        (".tmp-abc", True),  # removed before the next save
        ("00000010.corrupt", False),  # kept
        ("00000010.corrupt2", False),
    ],
)
def test_what_is_there_counts_unless_it_was_set_aside(
    tmp_path, monkeypatch, name, pays
):
    folder = tmp_path / "checkpoints" / name
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(bytes(1_000))
    (tmp_path / "run.json").write_text("{}")  # a run's folder
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        run_folder.shutil, "disk_usage", lambda _: usage(10, 10, 0)
    )

    if pays:
        RunFolder(tmp_path).check_space(1_000)
    else:
        with pytest.raises(CannotWriteError, match="the checkpoints need"):
            RunFolder(tmp_path).check_space(1_000)


def test_a_run_without_room_for_its_checkpoints_is_refused(
    tmp_path, monkeypatch
):
    """Nothing is trained, and nothing is left behind."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        run_folder.shutil, "disk_usage", lambda _: usage(9, 9, 400_000)
    )

    with pytest.raises(CannotWriteError, match=r"need \S+ MB and 0\.4 MB are"):
        kresnet.train("digits", tmp_path / "run")

    assert not (tmp_path / "run").exists()
