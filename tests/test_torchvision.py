"""The networks of torchvision, imported, compute what torchvision computes.

`KRESNET_TORCHVISION_DIR` names a folder with what torchvision made, for each
network: NAME.safetensors, its state dict, and NAME.npz with `images`,
standardised, float32 `(count, height, width, 3)`, and `logits`, float64
`(count, 1000)`, of that network in float64 and in inference.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from kresnet.importing import open_files
from kresnet.importing.fit import fit
from kresnet.importing.recognise import recognise
from kresnet.network import build_model
from kresnet.spec import load_spec

FOLDER = os.environ.get("KRESNET_TORCHVISION_DIR")
EVEN = ["model.stem.pool.padding=even"]
SPECS = {
    "resnet18": ("resnet18", EVEN),
    "resnet34": ("resnet34", EVEN),
    "resnet50": ("resnet50-v1.5", []),
    "resnext50_32x4d": ("resnext50-32x4d", []),
    "wide_resnet50_2": ("wide50-2", []),
    "vgg16": ("vgg16", []),
    "vgg16_bn": ("vgg16-bn", []),
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        FOLDER is None,
        reason="needs torchvision's state dicts and logits in"
        " KRESNET_TORCHVISION_DIR",
    ),
]


def difference(network: str, spec: str, overrides: list[str]):
    """How far logits are from torchvision's, of the largest, and the match."""
    path = Path(FOLDER or "", network)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
        images, want = file["images"], file["logits"]
    model = load_spec(spec, overrides).model
    model = model.model_copy(update={"input": images.shape[1:]})
    with open_files([path.with_suffix(".safetensors")]) as held:
        best = recognise(model, held)
        arrays = fit(best, held).arrays
    built = build_model(model, 0)
    for variable in built.weights:
        variable.assign(arrays.pop(variable.path))
    got = np.asarray(built(images.astype("float64")))
    return np.abs(got - want).max() / np.abs(want).max(), best


@pytest.mark.parametrize("network", SPECS)
def test_logits_are_those_of_torchvision(network, float64):
    apart, best = difference(network, *SPECS[network])

    assert best.fits
    assert list(best.naming.odd(best.model)) == []
    assert apart < 1e-10


def test_the_other_resnet50_fits_and_is_another_function(float64):
    """Which is why the spec decides, and the user is told."""
    apart, best = difference("resnet50", "resnet50", EVEN)

    assert best.fits
    assert "stride in the 3x3" in next(best.naming.odd(best.model))
    assert apart > 0.01
