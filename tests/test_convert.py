"""Weights written for other programs, which load them."""

import gzip
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kresnet.errors import CannotWriteError, SpecError
from kresnet.importing import NAMINGS, convert, import_weights
from kresnet.records.imported import read_import
from kresnet.spec import load_spec
from kresnet.trained import open_trained

FIXTURES = Path(__file__).parent / "fixtures"
EVEN = ["model.stem.pool.padding=even"]


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory):
    """A file with torchvision's names, and its import."""
    names = json.loads(
        gzip.decompress((FIXTURES / "torch-names.json.gz").read_bytes())
    )["torchvision/resnet18"]
    rng = np.random.default_rng(0)
    arrays = {
        name: np.zeros((), "int64")
        if "num_batches" in name
        else rng.uniform(0.5, 1, shape).astype("float32")
        for name, shape in names.items()
    }
    folder = tmp_path_factory.mktemp("torch")
    save_file(arrays, folder / "x.safetensors")
    import_weights(
        [folder / "x.safetensors"],
        "resnet18",
        folder / "import",
        overrides=EVEN,
    )
    return arrays, folder / "import"


def test_what_came_from_torchvision_goes_back_bit_for_bit(resnet18, tmp_path):
    arrays, folder = resnet18
    out = tmp_path / "x.safetensors"

    assert convert(folder, "torchvision", out) == "resnet18"

    got = load_file(out)
    assert got.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(got[name], array, name)


def test_an_import_says_what_belongs_to_its_numbers(resnet18):
    record = read_import(resnet18[1])

    assert record.view == (
        "one crop in the centre, 224×224, of an image whose shorter side is"
        " 256, bilinear with antialiasing, as the spec has it"
    )
    assert record.transforms.startswith("those that are usual for torchvision")
    assert "stride of the stem 2" in record.assumed


def test_an_import_says_that_residuals_are_scaled_by_survival():
    model = load_spec("resnet18", ["model.survival=0.5"]).model

    assert "residuals times survival, 0.5 at last" in list(
        NAMINGS["torchvision"].assumed(model)
    )


def test_a_file_is_not_overwritten_and_a_net_must_be_there(resnet18, tmp_path):
    out = tmp_path / "x.safetensors"
    out.write_bytes(b"mine")
    with pytest.raises(CannotWriteError, match="exists"):
        convert(resnet18[1], "torchvision", out)
    with pytest.raises(SpecError, match=r"must end in \.weights\.h5"):
        convert(resnet18[1], "keras", out)
    with pytest.raises(SpecError, match="as the specs resnet50, resnet101"):
        convert(resnet18[1], "keras", tmp_path / "x.weights.h5")
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("stem.stride=1", "model.stem.stride must be 2"),
        ("stem.pool.kernel=5", "model.stem.pool.kernel must be 3"),
        ("stem.pool.stride=1", "model.stem.pool.stride must be 2"),
        ("stages[3].stride=1", "model.stages[3].stride must be 2"),
        ("survival=0.5", "model.survival must be 1.0"),
    ],
)
def test_what_no_array_shows_must_agree_too(change, said, resnet18, tmp_path):
    """The arrays fit, and would be another function there."""
    save_file(resnet18[0], tmp_path / "in.safetensors")
    import_weights(
        [tmp_path / "in.safetensors"],
        "resnet18",
        tmp_path / "import",
        overrides=[*EVEN, f"model.{change}"],
    )
    out = tmp_path / "out.safetensors"

    with pytest.raises(SpecError) as refused:
        convert(tmp_path / "import", "torchvision", out)

    assert f"another function there: {said}, as in resnet18" in str(
        refused.value
    )
    assert not out.exists()


def test_keras_applications_loads_what_was_made_for_it(tmp_path):
    """And v1 is refused for torchvision, where it is another function."""
    networks = [
        keras.applications.ResNet50(
            weights=None, input_shape=(32, 32, 3), classifier_activation=None
        )
        for _ in range(2)
    ]
    rng = np.random.default_rng(0)
    for variable in networks[0].weights:
        low = 0.5 if "variance" in variable.name else -0.1
        variable.assign(rng.uniform(low, low + 0.2, variable.shape))
    networks[0].save_weights(tmp_path / "x.weights.h5")
    import_weights(
        [tmp_path / "x.weights.h5"],
        "resnet50",
        tmp_path / "import",
        overrides=EVEN,
    )
    out = tmp_path / "back.weights.h5"

    assert convert(tmp_path / "import", "keras", out) == "ResNet50"

    networks[1].load_weights(out)
    images = rng.normal(size=(2, 32, 32, 3)).astype("float32")
    want, got = (np.asarray(each(images)) for each in networks)
    assert np.abs(got - want).max() < 1e-6 * np.abs(want).max()
    import_weights([out], "resnet50", tmp_path / "again", overrides=EVEN)
    first, again = (
        open_trained(tmp_path / each).weights for each in ("import", "again")
    )
    for name, array in first.items():  # ε was folded twice more
        most = 1 if name.endswith("moving_variance") else 0
        np.testing.assert_array_max_ulp(again[name], array, most)
    with pytest.raises(SpecError, match="stride in the 3x3, and this network"):
        convert(tmp_path / "import", "torchvision", tmp_path / "x.safetensors")
