"""Room on the disk, asked before anything is computed."""

import math
from collections import namedtuple

import pytest

from kresnet.errors import CannotWriteError
from kresnet.network.transforms import TRANSFORMS, build_transforms
from kresnet.records import folder as run_folder
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.spec import DataSpec, load_spec
from kresnet.trained.arrays import to_arrays
from kresnet.training.assembly import assemble
from kresnet.training.checkpoint_size import checkpoint_bytes
from kresnet.training.train import CHECKPOINTS

ARGUMENTS = {
    "rescale": {"divide_by": 255},
    "zca_whitening": {"epsilon": 1.0},
    "fancy_pca": {"stddev": 0.1},
    "random_crop": {"padding": 2},
}
WHITENED = (
    "data.transforms=[{layer: zca_whitening, epsilon: 1.0}]",
    # A small net, so that most of its checkpoint is the matrix.
    "model.stages=[{block: plain, blocks: 1, width: 4, stride: 1}]",
    "model.stem.width=4",
)


def size(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def saved(spec, folder):
    """Size of a checkpoint of untrained weights, but for a real one's state."""
    model = assemble(spec, 0, "float32").model
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
    spec = load_spec("digits", overrides)

    estimate = checkpoint_bytes(spec)

    found = saved(spec, tmp_path / "checkpoints")
    # Names and manifest of nets as small as these are below 20 KB.
    assert found <= estimate <= 1.01 * found + 20_000


def test_four_checkpoints_of_a_run_need_no_more_than_was_asked_for(digits_run):
    newest = max((digits_run / "checkpoints").iterdir())
    needed = CHECKPOINTS * checkpoint_bytes(load_spec("digits"))

    assert 4 * size(newest) <= needed


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_numbers_that_a_transform_keeps_are_known(name):
    transform = {"layer": name} | ARGUMENTS.get(name, {})
    before = [{"layer": "rescale", "divide_by": 255}]
    data = DataSpec(
        dataset="cifar10",
        validation=0,
        transforms=[*(before if name == "fancy_pca" else []), transform],
    )
    *_, layer = build_transforms(data, (4, 6, 3))

    numbers = sum(math.prod(weight.shape) for weight in layer.weights)

    assert data.transforms[-1].statistics((4, 6, 3)) == numbers


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
        RunFolder(tmp_path, needed=1_000).__enter__().__exit__()
    else:
        with pytest.raises(CannotWriteError, match="the checkpoints need"):
            RunFolder(tmp_path, needed=1_000).__enter__()
