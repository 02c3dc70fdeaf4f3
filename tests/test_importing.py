"""Weights of other programs in a spec's network: the same function."""

import gzip
import hashlib
import io
import json
import os
import pickle
import re
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save, save_file

from kresnet.architecture import ModelSpec, inventory
from kresnet.cli import app, run
from kresnet.errors import BadDataError, CannotWriteError, SpecError
from kresnet.evaluation import evaluate
from kresnet.importing import NAMINGS, import_weights
from kresnet.importing.fit import fit, match
from kresnet.importing.layout import theirs, turned, turned_back
from kresnet.importing.recognise import matches, recognise, refuse_misfit
from kresnet.network import build_model
from kresnet.records.evaluation import read_evaluation
from kresnet.spec import load_spec
from kresnet.trained import open_trained
from kresnet.weight_files import Held, open_files

ROOT = Path(__file__).parent.parent
WEIGHTS = os.environ.get("KRESNET_WEIGHTS_DIR")
NAMES = json.loads(
    gzip.decompress((ROOT / "tests/fixtures/torch-names.json.gz").read_bytes())
)
EVEN = ["model.stem.pool.padding=even"]
SPECS = {
    "resnet18": ("resnet18", EVEN),
    "resnet50": ("resnet50-v1.5", EVEN),
    "resnet101": ("resnet101-v1.5", EVEN),
    "resnext50_32x4d": ("resnext50-32x4d", EVEN),
    "wide_resnet50_2": ("wide50-2", EVEN),
    "vgg11": ("vgg11", []),
    "vgg16_bn": ("vgg16-bn", []),
}


def listing(shapes):
    """What a file of these arrays would hold; they are not read."""
    return {
        name: Held(tuple(shape), "float32", lambda: None)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("spec", ["resnet20", "resnet20-c", "digits"])
def test_the_inventory_has_the_arrays_that_keras_makes(spec):
    model = load_spec(spec).model
    want = {v.path: v.shape for v in build_model(model, 0).weights}

    got = {
        f"{part.name}/{array}": shape
        for part in inventory(model)
        for array, shape in part.shapes.items()
    }

    assert got == want


@pytest.mark.parametrize("network", NAMES)
def test_names_and_shapes_are_those_of_torchvision_and_timm(network):
    """Listed by torchvision 0.29 and timm, of nets without counterpart too."""
    program, name = network.split("/")
    held = listing(NAMES[network])
    if name not in SPECS:
        model = load_spec("resnet50-v1.5", EVEN).model
        found = matches(model, held)
        assert not any(each.fits for each in found)
        return
    model = load_spec(*SPECS[name]).model

    best = recognise(model, held)

    assert best.fits
    own = f"{program}-vgg" if "vgg" in name else "torchvision"
    assert best.naming.name == own
    assert list(best.naming.odd(model)) == []


def small_resnet(classes=10, **fields):
    """Of ResNet-50's kind: every naming of ImageNet's nets has its names."""
    stage = {"block": "bottleneck", "shortcut": "B", "blocks": 2}
    norm = {"images_per_statistic": None, "momentum": 0.9, "epsilon": 1e-5}
    pool = {"kernel": 3, "stride": 2, "padding": "even"}
    fields = {"stride_in": "1x1"} | fields
    return ModelSpec.model_validate(
        {
            "input": (32, 32, 3),
            "stem": {"kernel": 7, "width": 8, "stride": 2, "pool": pool},
            "stages": [
                stage | {"width": 4, "output": 16, "stride": 1} | fields,
                stage | {"width": 8, "output": 32, "stride": 2} | fields,
            ],
            "classes": classes,
            "batch_norm": norm,
        }
    )


def test_every_kernel_is_turned_and_back():
    for naming in NAMINGS.values():
        for part in inventory(load_spec("vgg11").model)[-3:]:
            if "kernel" not in part.shapes:
                continue
            small = part._replace(
                shapes={"kernel": (2 * 3 * 4, 5)}, map=(2, 3, 4)
            )
            ours = np.arange(120).reshape(24, 5)
            back = turned_back(ours, small, naming)
            assert back.shape == theirs(small, "kernel", naming)
            np.testing.assert_array_equal(turned(back, small, naming), ours)


def test_resnet50_of_keras_applications(float64, tmp_path):
    """Biases, ε and the order of colours are folded, turned, exactly."""
    reference = keras.applications.ResNet50(
        weights=None, input_shape=(32, 32, 3), classifier_activation=None
    )
    rng = np.random.default_rng(0)
    for variable in reference.weights:
        low = 0.5 if "variance" in variable.name else -0.2
        variable.assign(rng.uniform(low, low + 0.7, variable.shape))
    path = tmp_path / "x.weights.h5"
    reference.save_weights(path)
    model = load_spec("resnet50", EVEN).model
    model = model.model_copy(update={"input": (32, 32, 3)})
    with open_files([path]) as held:
        best = recognise(model, held)
        fitted = fit(best, held, "float64")
    network = build_model(model, 0)
    for variable in network.weights:
        variable.assign(fitted.arrays[variable.path])
    images = rng.normal(size=(2, 32, 32, 3))

    ours, want = network(images), reference(images[..., ::-1])

    probs = {k.replace("predictions", "probs"): v for k, v in held.items()}
    assert recognise(model, probs).naming.name == "keras-probs"
    assert (best.naming.name, best.fits) == ("keras", True)
    scale = np.abs(np.asarray(want)).max()
    assert np.abs(np.asarray(ours) - np.asarray(want)).max() < 1e-13 * scale


@pytest.mark.parametrize("keras_1", [False, True])
def test_vgg_of_keras_applications_has_all_our_names(keras_1, tmp_path):
    reference = keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for layer in reference.layers:
            for each in layer.weights:
                name = f"{layer.name}/{layer.name}/{each.name}:0"
                if keras_1:  # as the published files are
                    own = {"kernel": "W", "bias": "b"}[each.name]
                    name = f"{layer.name}/{layer.name}_{own}_1:0"
                file[name] = np.asarray(each)
    model = load_spec("vgg16").model

    with open_files([tmp_path / "x.h5"]) as held:
        best = recognise(model, held, classifier=False)

        assert (best.naming.name, best.fits) == ("keras-vgg", True)
        assert len(best.found) == 26


def state_dict(model, naming="torchvision", prefix="", seed=0):
    """Arrays that another program would save of such a network."""
    rng = np.random.default_rng(seed)
    made = {}
    for part in inventory(model):
        for array in part.shapes:
            shape = theirs(part, array, NAMINGS[naming])
            name = prefix + NAMINGS[naming].array(part, array)
            value = rng.uniform(0.5, 1.5, shape).astype("float32")
            made[name] = value
    return made


def held_of(arrays):
    return {
        name: Held(array.shape, str(array.dtype), lambda a=array: a)
        for name, array in arrays.items()
    }


@pytest.mark.parametrize("prefix", ["", "module.", "model/backbone."])
def test_prefixes_are_found(prefix):
    model = small_resnet(stride_in="3x3")
    arrays = state_dict(model, prefix=prefix)

    best = recognise(model, held_of(arrays))

    assert (best.naming.name, best.prefix) == ("torchvision", prefix)
    assert best.fits


def test_a_tie_is_decided_by_the_user():
    model = small_resnet(stride_in="3x3")
    held = held_of(
        state_dict(model, prefix="state_dict/")
        | state_dict(model, prefix="state_dict_ema/")
    )

    with pytest.raises(SpecError) as caught:
        recognise(model, held)

    assert "--prefix 'state_dict_ema/'" in str(caught.value)
    best = recognise(model, held, prefix="state_dict_ema/")
    assert best.fits
    assert best.left == {}


def test_what_is_usually_otherwise_is_said():
    model = small_resnet(stride_in="1x1")

    (line,) = NAMINGS["torchvision"].odd(model)

    assert "torchvision's bottlenecks have their stride in the 3x3" in line
    assert list(NAMINGS["keras"].odd(model)) == []
    assert "bottlenecks' stride in the 1x1" in list(
        NAMINGS["torchvision"].assumed(model)
    )


@pytest.fixture(scope="module")
def digits_weights(digits_run):
    """The weights of a run, as the file that lies in its checkpoint."""
    folder = max((digits_run / "checkpoints").iterdir())
    return folder / "weights.safetensors"


@pytest.mark.parametrize(
    ("mean", "said"),
    [
        (np.full((8, 8, 1), np.nan, "f4"), "holds NaN or infinite numbers"),
        (np.full((8, 8, 1), 1e300), "beyond the range of float32"),
        (np.ones((8, 8, 1), "i4"), "must hold floating-point numbers"),
    ],
)
def test_statistics_are_checked_like_weights(
    mean, said, digits_weights, tmp_path
):
    path, out = tmp_path / "x.safetensors", tmp_path / "out"
    save_file(load_file(digits_weights) | {"per_pixel_mean/mean": mean}, path)

    with pytest.raises(BadDataError, match=f"per_pixel_mean/mean: .*{said}"):
        import_weights([path], "digits", out)

    assert not out.exists()


def test_kresnet_s_own_weights_come_back(digits_run, digits_weights, tmp_path):
    record = import_weights([digits_weights], "digits", tmp_path / "in")

    imported, trained = open_trained(tmp_path / "in"), open_trained(digits_run)
    assert record.naming == "kresnet"
    assert record.transforms == "those of the file"
    assert record.view == "one whole image, as the data set has it"
    for name, array in trained.weights.items():
        np.testing.assert_array_equal(imported.weights[name], array)
    ours, theirs = (
        evaluate(each, out=tmp_path / each.folder.name)
        for each in (imported, trained)
    )
    assert (ours.error, ours.loss) == (theirs.error, theirs.loss)
    assert ours.protocol.network == "import of weights.safetensors"
    assert ours.protocol.seed is None
    file = tmp_path / "in" / "evaluation-test-moving-averages.json"
    evaluate(imported)
    assert read_evaluation(file).model_dump() == ours.model_dump()


def changed(arrays, **changes):
    return {**arrays, **changes}


@pytest.fixture(scope="module")
def cifar():
    """Arrays as chenyaofo's ResNet-20 would have them, option B."""
    return state_dict(load_spec("resnet20-b").model, "chenyaofo")


CLASSES = "model.classes=100"
KERNEL = "layer1.0.conv1.weight"
WRONG = {
    "NaN": ({KERNEL: np.full((16, 16, 3, 3), np.nan, "f4")}, 65, KERNEL),
    "a negative variance": (
        {"bn1.running_var": np.full(16, -1, "f4")},
        65,
        "bn1.running_var: a variance is negative",
    ),
    "integers": (
        {"bn1.weight": np.ones(16, "i4")},
        65,
        "must hold floating-point numbers",
    ),
    "beyond float32": (
        {"bn1.weight": np.full(16, 1e300)},
        65,
        "beyond the range of float32",
    ),
    "left over": ({"extra": np.zeros(3, "f4")}, 2, "extra: left over, 3"),
    "another shape": (
        {KERNEL: np.zeros((16, 16, 1, 1), "f4")},
        2,
        f"{KERNEL}: is 16×16×1×1, and resnet20-b needs 16×16×3×3",
    ),
    "another classifier": (
        {
            "fc.weight": np.zeros((100, 64), "f4"),
            "fc.bias": np.zeros(100, "f4"),
        },
        2,
        "--without-classifier takes the rest",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_message_and_nothing_is_written(
    case, cifar, tmp_path, capsys
):
    changes, code, message = WRONG[case]
    path, out = tmp_path / "x.safetensors", tmp_path / "out"
    save_file(cifar | changes, path)

    got = run(
        app,
        ["import", str(path), "--spec", "resnet20-b", "--out", str(out)],
    )

    said = capsys.readouterr().err
    assert got == code
    assert message in said
    assert "Traceback" not in said
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def stored(*entries, compression=zipfile.ZIP_STORED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(f"x/{name}", content)
    return data.getvalue()


class Program:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def of_header(text):
    return len(text).to_bytes(8, "little") + text


UNRELATED = json.dumps(
    {
        f"other.{i}": {
            "dtype": "F32",
            "shape": [250_000_000],
            "data_offsets": [i * 10**9, (i + 1) * 10**9],
        }
        for i in range(3)
    }
).encode()
TWICE = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
# What is written of sound weights, the exit code and what is said.
BAD_FILES = {
    "truncated": (lambda whole: whole[:-1_000], 65, "header speaks of"),
    "emptied": (lambda whole: bytes(len(whole)), 65, "neither safetensors nor"),
    "zero length": (lambda whole: b"", 65, "it is empty"),
    "text": (lambda whole: b"no weights\n" * 9, 65, "neither safetensors nor"),
    "a program": (
        lambda whole: pickle.dumps({"conv1.weight": Program()}, 2),
        65,
        "a pickle that torch.save did not write",
    ),
    "a program in a zip file": (
        lambda whole: stored(
            ("data.pkl", pickle.dumps({"conv1.weight": Program()}, 2))
        ),
        65,
        "it holds no arrays by name",
    ),
    "a bomb": (
        lambda whole: stored(
            ("data.pkl", pickle.dumps({}, 2)),
            ("data/0", bytes(30_000_000)),
            compression=zipfile.ZIP_DEFLATED,
        ),
        65,
        "is compressed",
    ),
    "3 GB of other arrays": (
        lambda whole: of_header(UNRELATED),
        2,
        "no names are found",
    ),
    "two arrays of a name": (
        lambda whole: of_header(b"{%b,%b}" % (TWICE, TWICE)) + bytes(4),
        65,
        "two of its arrays have one name",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_message_and_nothing_is_written(
    case, cifar, tmp_path, monkeypatch, capsys
):
    make, code, message = BAD_FILES[case]
    monkeypatch.chdir(tmp_path)
    path = Path("x.pth")
    path.write_bytes(make(save(cifar)))
    if case == "3 GB of other arrays":  # zeros that take no room on the disk
        os.truncate(path, path.stat().st_size + 3 * 10**9)

    got = run(app, ["import", "x.pth", "--spec", "resnet20-b", "--out", "out"])

    said = capsys.readouterr().err
    assert got == code
    assert message in said
    assert "Traceback" not in said
    assert [each.name for each in tmp_path.iterdir()] == ["x.pth"]


def test_two_files_of_one_network_are_refused(cifar, tmp_path, capsys):
    files = [str(tmp_path / f"{i}.safetensors") for i in range(2)]
    for file in files:
        save_file(cifar, file)

    got = run(
        app,
        ["import", *files, "--spec", "resnet20-b", f"--out={tmp_path / 'out'}"],
    )

    assert got == 65
    said = capsys.readouterr().err
    assert "holds bn1.bias, as another of the files does" in said
    assert not (tmp_path / "out").exists()


def test_another_network_s_weights_name_the_specs_that_they_fit(
    cifar, tmp_path
):
    path = tmp_path / "x.safetensors"
    save_file(cifar, path)

    with pytest.raises(SpecError) as caught:
        import_weights([path], "resnet56-b", tmp_path / "out")

    assert "Shipped specs that they fit: resnet20-b" in str(caught.value)
    assert "180 arrays are missing" in str(caught.value)
    assert len(caught.value.args) == 13


def test_a_backbone_is_imported_and_not_evaluated(cifar, tmp_path):
    path, out = tmp_path / "x.safetensors", tmp_path / "out"
    arrays = {k: v for k, v in cifar.items() if not k.startswith("fc")}
    save_file(arrays, path)

    record = import_weights([path], "resnet20-b", out, classifier=False)

    assert record.drawn == ("fc",)
    _, network = open_trained(out).layers()
    assert not np.asarray(network.get_layer("fc").kernel).any()
    with pytest.raises(SpecError, match="has no classifier"):
        evaluate(out)
    with pytest.raises(CannotWriteError, match="exists"):
        import_weights([path], "resnet20-b", out, classifier=False)


def test_colours_are_summed_for_images_of_one_channel(float64):
    """A grey image has its value in all three channels."""
    colour = load_spec("resnet20-b").model
    grey = colour.model_copy(update={"input": (32, 32, 1)})
    held = held_of(state_dict(colour, "chenyaofo"))
    pixels = np.random.default_rng(0).normal(size=(2, 32, 32, 1))
    logits = []
    for model, images in ((colour, pixels.repeat(3, -1)), (grey, pixels)):
        naming = NAMINGS["chenyaofo"]
        best = match(model, naming, "", held, channels=True)
        assert best.fits
        network = build_model(model, 0)
        arrays = fit(best, held, "float64").arrays
        for variable in network.weights:
            variable.assign(arrays[variable.path])
        logits.append(np.asarray(network(images)))

    np.testing.assert_allclose(*logits, rtol=1e-12)


def test_a_biased_file_needs_the_norm_s_mean(float64):
    """Conv + bias, then batch norm: the bias goes into the mean."""
    model = small_resnet(stride_in="3x3")
    arrays = state_dict(model)
    held = held_of(arrays | {"conv1.bias": np.full(8, 0.25, "float32")})

    got = fit(recognise(model, held), held, "float64").arrays

    want = np.float64(arrays["bn1.running_mean"]) - 0.25
    np.testing.assert_array_equal(got["conv1_bn/moving_mean"], want)


def test_biases_are_reordered_with_the_channels_they_belong_to():
    """A net that pads on both sides has its channels in another order."""
    model = load_spec("resnet20").model
    arrays = state_dict(model, "akamaster")
    rng = np.random.default_rng(1)
    biases, means = {}, {}
    for name in arrays:
        if name.endswith("running_mean"):
            mean = arrays[name]
            bias = rng.integers(-8, 8, mean.shape).astype("float32")
            layer = name.removesuffix(".running_mean").replace("bn", "conv")
            biases[f"{layer}.bias"] = bias
            means[name] = mean - bias

    got, want = (
        fit(recognise(model, held), held).arrays
        for held in map(held_of, (arrays | biases, arrays | means))
    )

    for name, array in want.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (9,), (8, 1), (1, 8)])
def test_a_bias_of_another_shape_does_not_fit(shape, tmp_path):
    """NumPy would subtract a single number from every channel's mean."""
    arrays = state_dict(small_resnet(stride_in="3x3"))
    arrays["conv1.bias"] = np.ones(shape, "float32")
    held = held_of(arrays)
    best = recognise(small_resnet(stride_in="3x3"), held)

    with pytest.raises(SpecError) as refused:
        refuse_misfit(best, held, "small")

    sides = "×".join(map(str, shape)) or "a number"
    assert f"conv1.bias: is {sides}, and small needs 8" in str(refused.value)


@pytest.mark.skipif(
    WEIGHTS is None,
    reason="needs akamaster's files in KRESNET_WEIGHTS_DIR",
)
@pytest.mark.parametrize(
    ("layers", "published"), [(20, 8.27), (32, 7.37), (56, 6.61)]
)
def test_akamaster_s_networks_have_their_published_errors(
    layers, published, tmp_path, whole_form
):
    """Percent, from the README of akamaster/pytorch_resnet_cifar10."""
    if layers > 20 and not whole_form:
        pytest.skip("the deeper ones take a minute of a processor: --whole")
    file = Path(WEIGHTS or "", f"akamaster-resnet{layers}.th")
    import_weights([file], f"resnet{layers}", tmp_path / "in")

    measured = evaluate(tmp_path / "in")

    assert measured.error == pytest.approx(published, abs=1e-9)


def test_classes_are_numbered_where_only_the_data_have_names(
    tmp_path, monkeypatch, capsys
):
    """As of CIFAR-100, or of ImageNet's networks."""
    monkeypatch.chdir(tmp_path)
    spec = load_spec("resnet20-b", ["data.dataset=cifar100", CLASSES])
    arrays = state_dict(spec.model, "chenyaofo")
    small = {name: array / 30 for name, array in arrays.items()}
    save_file(small, "x.safetensors")
    import_weights(["x.safetensors"], spec, "in")
    Image.new("RGB", (32, 32)).save("x.png")

    got = run(app, ["predict", "in", "x.png", "--top", "2"])

    assert got == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r" +[\d.]+ % +class \d+", lines[1])
    assert open_trained(tmp_path / "in").class_names[99] == "class 99"


def test_a_changed_import_is_not_used(cifar, tmp_path):
    path, out = tmp_path / "x.safetensors", tmp_path / "out"
    save_file(cifar, path)
    import_weights([path], "resnet20-b", out)
    data = bytearray((out / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (out / "weights.safetensors").write_bytes(data)

    with pytest.raises(BadDataError, match="SHA-256 sum is wrong"):
        open_trained(out)


def test_every_shard_has_its_sum_in_the_record(cifar, tmp_path):
    names = sorted(cifar)
    save_file({name: cifar[name] for name in names[:9]}, tmp_path / "1.st")
    save_file({name: cifar[name] for name in names[9:]}, tmp_path / "2.st")
    where = {name: f"{1 + (i >= 9)}.st" for i, name in enumerate(names)}
    index = tmp_path / "x.index.json"
    index.write_text(json.dumps({"weight_map": where}))

    record = import_weights([index], "resnet20-b", tmp_path / "out")

    assert {each.name: each.sha256 for each in record.files} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (index, tmp_path / "1.st", tmp_path / "2.st")
    }
