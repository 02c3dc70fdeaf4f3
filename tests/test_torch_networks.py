"""Networks of torchvision, timm and others compute here what they do there.

`KRESNET_TORCH_PYTHON` names a Python that has torch, torchvision, timm and
safetensors; it makes the networks, since torch and TensorFlow do not always
get on in one process.
"""

import gc
import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from kresnet.importing import convert, import_weights
from kresnet.importing.fit import fit
from kresnet.importing.recognise import recognise
from kresnet.network import build_model
from kresnet.spec import load_spec
from kresnet.weight_files import open_files

PYTHON = os.environ.get("KRESNET_TORCH_PYTHON")
PROGRAM = Path(__file__).parent / "torch_networks.py"
EVEN = ["model.stem.pool.padding=even"]
RESNETS = {
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50-v1.5",
    "resnet101": "resnet101-v1.5",
    "resnet152": "resnet152-v1.5",
    "resnext50_32x4d": "resnext50-32x4d",
    "resnext101_32x8d": "resnext101-32x8d",
    "wide_resnet50_2": "wide50-2",
    "wide_resnet101_2": "wide101-2",
}
VGGS = {
    "vgg11": "vgg11",
    "vgg13": "vgg13",
    "vgg16": "vgg16",
    "vgg16_bn": "vgg16-bn",
    "vgg19": "vgg19",
}
CIFAR = {"akamaster": "resnet20", "chenyaofo": "resnet20-b"}
NETWORKS = [
    *(
        (program, name, spec)
        for program in ("torchvision", "timm")
        for name, spec in (RESNETS | VGGS).items()
    ),
    *((program, "resnet20", spec) for program, spec in CIFAR.items()),
]
# One network of each program in the short form.
SHORT = {"resnet18", "resnext50_32x4d", "resnet20"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PYTHON is None,
        reason="needs a Python with torch, torchvision, timm and safetensors"
        " in KRESNET_TORCH_PYTHON",
    ),
]


@pytest.fixture(autouse=True)
def forgotten():
    """Keras keeps every network that was built, 200 MB of ResNet-34."""
    yield
    keras.utils.clear_session()
    gc.collect()


def there(*arguments):
    """Runs torch_networks.py."""
    ran = subprocess.run(
        [PYTHON, PROGRAM, *arguments], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def changes(spec):
    """What the spec leaves to the paper and these programs do otherwise."""
    return EVEN if spec in RESNETS.values() else []


def difference(path, spec):
    """How far logits are from theirs, of the largest, and the match."""
    with np.load(f"{path}.npz", allow_pickle=False) as file:
        images, want = file["images"], file["logits"]
    model = load_spec(spec, changes(spec)).model
    model = model.model_copy(update={"input": images.shape[1:]})
    with open_files([f"{path}.safetensors"]) as held:
        best = recognise(model, held)
        arrays = fit(best, held).arrays
    built = build_model(model, 0)
    for variable in built.weights:
        variable.assign(arrays.pop(variable.path))
    got = np.asarray(built(images.astype("float64")))
    return np.abs(got - want).max() / np.abs(want).max(), best


@pytest.mark.parametrize(
    ("program", "name", "spec"), NETWORKS, ids=lambda each: each
)
def test_logits_are_theirs(program, name, spec, float64, tmp_path, whole_form):
    if name not in SHORT and not whole_form:
        pytest.skip("the whole form, --whole, tries all networks")
    there("make", program, name, tmp_path / "x")

    apart, best = difference(tmp_path / "x", spec)

    print(f"{program} {name}: {apart:.1e}")
    assert best.fits
    assert list(best.naming.odd(best.model)) == []
    assert apart < 1e-13


@pytest.mark.parametrize(
    ("program", "name", "spec"),
    [
        ("torchvision", "resnet50", "resnet50"),
        ("timm", "resnetaa50", "resnet50-v1.5"),
        ("timm", "resnetblur50", "resnet50-v1.5"),
    ],
)
def test_another_function_fits(program, name, spec, float64, tmp_path):
    """Which is why the spec decides, and the user is told."""
    there("make", program, name, tmp_path / "x")

    apart, best = difference(tmp_path / "x", spec)

    assert best.fits
    assert apart > 0.01


@pytest.mark.parametrize(
    ("name", "spec"), (RESNETS | VGGS).items(), ids=lambda each: each
)
def test_torchvision_loads_what_goes_back(name, spec, tmp_path, whole_form):
    """Strictly; and it is what came, bit for bit."""
    if name not in SHORT and not whole_form:
        pytest.skip("the whole form, --whole, tries all networks")
    file = tmp_path / "x.safetensors"
    there("make", "torchvision", name, tmp_path / "x")
    import_weights([file], spec, tmp_path / "in", overrides=changes(spec))

    assert convert(tmp_path / "in", "torchvision", tmp_path / "b.safetensors")

    there("load", "torchvision", name, tmp_path / "b.safetensors")
    before, after = load_file(file), load_file(tmp_path / "b.safetensors")
    assert before.keys() == after.keys()
    for key, array in before.items():
        assert array.tobytes() == after[key].tobytes(), key
