"""ResNets of keras-hub, imported from its files, compute what they do there."""

import numpy as np
import pytest

from kresnet.importing.fit import fit
from kresnet.importing.recognise import recognise
from kresnet.network import build_model
from kresnet.spec import load_spec
from kresnet.weight_files import open_files

keras_hub = pytest.importorskip("keras_hub", reason="needs keras-hub")
pytestmark = pytest.mark.slow
EVEN = "model.stem.pool.padding=even"
# By our spec: blocks, widths and their kind, as keras-hub takes them.
RESNETS = {
    "resnet18": ((2, 2, 2, 2), (64, 128, 256, 512), "basic_block"),
    "resnet50-v1.5": ((3, 4, 6, 3), (64, 128, 256, 512), "bottleneck_block"),
}


def classifier(blocks, widths, kind):
    """One whose every array is drawn."""
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=list(widths),
        stackwise_num_blocks=list(blocks),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type=kind,
        image_shape=(96, 96, 3),
    )
    made = keras_hub.models.ResNetImageClassifier(backbone, num_classes=1_000)
    rng = np.random.default_rng(0)
    for variable in made.weights:
        if "kernel" in variable.name:
            deviation = (2 / np.prod(variable.shape[:-1])) ** 0.5
            variable.assign(rng.normal(0, deviation, variable.shape))
        else:
            low = -0.2 if variable.name in ("beta", "moving_mean") else 0.5
            variable.assign(rng.uniform(low, low + 0.4, variable.shape))
    return made


@pytest.mark.parametrize("spec", RESNETS)
def test_logits_are_keras_hub_s(spec, float64, tmp_path):
    """From the two files that a preset has, backbone and task."""
    reference = classifier(*RESNETS[spec])
    reference.save_to_preset(tmp_path)
    model = load_spec(spec, [EVEN]).model
    model = model.model_copy(update={"input": (96, 96, 3)})
    files = [tmp_path / f"{each}.weights.h5" for each in ("model", "task")]
    with open_files(files) as held:
        best = recognise(model, held)
        fitted = fit(best, held, "float64")
    network = build_model(model, 0)
    for variable in network.weights:
        variable.assign(fitted.arrays[variable.path])
    images = np.random.default_rng(1).normal(size=(2, 96, 96, 3))

    ours, want = (np.asarray(each(images)) for each in (network, reference))

    assert (best.naming.name, best.fits) == ("keras-hub", True)
    assert list(best.naming.odd(model)) == []
    assert want.dtype == ours.dtype == "float64"
    apart = np.abs(ours - want).max() / np.abs(want).max()
    print(f"keras-hub {keras_hub.__version__} {spec}: {apart:.1e}")
    assert apart < 1e-13


def test_the_backbone_alone_is_one_without_classifier(tmp_path):
    reference = classifier(*RESNETS["resnet18"])
    reference.backbone.save_weights(tmp_path / "x.weights.h5")
    model = load_spec("resnet18", [EVEN]).model

    with open_files([tmp_path / "x.weights.h5"]) as held:
        best = recognise(model, held, classifier=False)

    assert (best.naming.name, best.fits) == ("keras-hub", True)


def test_a_resnet_d_fits_no_spec(tmp_path):
    """Its stem is of three convolutions, its shortcuts pool."""
    kind = "bottleneck_block_vd"
    reference = keras_hub.models.ResNetBackbone(
        input_conv_filters=[32, 32, 64],
        input_conv_kernel_sizes=[3, 3, 3],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type=kind,
    )
    reference.save_weights(tmp_path / "x.weights.h5")
    model = load_spec("resnet50-v1.5").model

    with open_files([tmp_path / "x.weights.h5"]) as held:
        best = recognise(model, held, classifier=False)

    assert not best.fits
