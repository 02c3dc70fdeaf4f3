"""The shipped specs are the paper's recipes and come with the package."""

import json
import re
from importlib import resources

import pytest

from kresnet.architecture import census
from kresnet.spec import (
    ChannelMean,
    ChannelStandardize,
    FancyPCA,
    LearningRate,
    PerPixelMean,
    RandomCrop,
    RandomFlip,
    Rescale,
    Spec,
    ZCAWhitening,
    dump_spec,
    load_spec,
    shipped_specs,
)

MEAN = PerPixelMean(layer="per_pixel_mean")
TO_UNITS = Rescale(layer="rescale", divide_by=255)
AUGMENTATION = (
    RandomCrop(layer="random_crop", padding=4),
    RandomFlip(layer="random_flip"),
)
# Arms of comparisons of preprocessings; before the augmentation they have:
ARMS = {
    "channel-mean": (ChannelMean(layer="channel_mean"),),
    "channel-std": (ChannelStandardize(layer="channel_standardize"),),
    "fancy-pca": (MEAN, TO_UNITS, FancyPCA(layer="fancy_pca", stddev=0.1)),
    "mean255": (MEAN, TO_UNITS),
    "none": (),
    "zca": (MEAN, TO_UNITS, ZCAWhitening(layer="zca_whitening", epsilon=1e-2)),
}


# The networks of section 4.2 of He et al. 2015, and their arms.
CIFAR = [
    *(f"plain{n}" for n in (20, 32, 44, 56, 110)),
    *("resnet20", "resnet20-b", "resnet20-c"),
    *(f"resnet20-{arm}" for arm in ARMS),
    *("resnet32", "resnet44"),
    *("resnet56", "resnet56-b", "resnet56-c"),
    *(f"resnet56-{arm}" for arm in ARMS),
    *("resnet110", "resnet1202"),
]
# The papers that specs may cite besides.
PAPERS = (
    *("He et al. 2015", "He et al. 2016", "Simonyan, Zisserman 2014"),
    *("Zagoruyko, Komodakis 2016", "Xie et al. 2017", "Huang et al. 2016"),
    *("Srivastava et al. 2015", "Wu, He 2018", "Zhang et al. 2019"),
)


def arm_of(name: str) -> str | None:
    """The arm that a name ends with, if any."""
    return next((arm for arm in ARMS if name.endswith(f"-{arm}")), None)


def test_the_papers_networks_are_there_in_the_order_of_their_depth():
    names = shipped_specs()

    assert set(CIFAR) < set(names)
    assert [name for name in names if name in CIFAR] == CIFAR
    assert names.index("resnet18") < names.index("resnet101")


@pytest.mark.parametrize("name", shipped_specs())
def test_the_name_says_the_layers(name):
    spec = load_spec(name)
    counted = census(spec.model)

    if name != "digits":
        number = int(re.search(r"\d+", name).group())
        # Wide nets count their three projections and not the classifier.
        said = counted.layers + 2 * name.startswith("wrn")
        assert said == number
    assert spec.expect.layers == counted.layers
    assert spec.expect.parameters == counted.parameters


IMAGENET = [
    name
    for name in shipped_specs()
    if load_spec(name).data.dataset == "imagenet"
]


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_nets_train_as_their_papers_say(name):
    spec = load_spec(name)
    training, vgg = spec.training, name.startswith("vgg")

    assert spec.model.input == (224, 224, 3)
    assert spec.model.classes == 1_000
    assert spec.data.validation == 0
    assert training.batch_size == 256
    assert training.momentum == 0.9
    assert training.weight_decay == (5e-4 if vgg else 1e-4)
    assert training.learning_rate.start == (0.01 if vgg else 0.1)
    assert training.learning_rate.divide_by == 10
    assert training.iterations <= 600_000
    if spec.model.batch_norm:  # 256 on eight GPUs
        assert spec.model.batch_norm.images_per_statistic == 32


def iterations(epochs, images):
    """Rounded up, of 128 images each."""
    return -(-epochs * images // 128)


@pytest.mark.parametrize(
    ("name", "epochs", "drops", "divisor", "images", "decay", "nesterov"),
    [
        ("wrn16-8", 200, (60, 120, 160), 5, 50_000, 5e-4, True),
        ("wrn28-10", 200, (60, 120, 160), 5, 50_000, 5e-4, True),
        ("wrn40-4", 200, (60, 120, 160), 5, 50_000, 5e-4, True),
        ("resnext29-8x64", 300, (150, 225), 10, 50_000, 5e-4, False),
        ("stochastic110", 500, (250, 375), 10, 45_000, 1e-4, True),
    ],
)
def test_epochs_of_later_papers_are_so_many_iterations(
    name, epochs, drops, divisor, images, decay, nesterov
):
    """Zagoruyko, Komodakis 2016; Xie et al. 2017; Huang et al. 2016."""
    spec = load_spec(name)
    training = spec.training

    assert 50_000 - spec.data.validation == images
    assert training.iterations == iterations(epochs, images)
    assert training.learning_rate == LearningRate(
        start=0.1,
        divide_by=divisor,
        at=tuple(iterations(drop, images) for drop in drops),
    )
    assert training.batch_size == 128
    assert training.weight_decay == decay
    assert training.nesterov == nesterov


@pytest.mark.parametrize(
    "name",
    [
        *("preresnet110", "preresnet164", "preresnet1001", "resnet164"),
        *("resnet110-c", "resnet110-dropout", "resnet110-scaled"),
        *("resnet110-gated", "resnet110-gated-shortcut"),
        *(
            f"resnet{n}-{order}"
            for n in (110, 164)
            for order in (
                *("norm-after-addition", "relu-before-addition"),
                "relu-preactivation",
            )
        ),
    ],
)
def test_nets_of_identity_mappings_train_as_resnet110_but_for_the_start(name):
    """He et al. 2016, arXiv:1603.05027, appendix."""
    spec, base = load_spec(name), load_spec("resnet110")

    warm_up = spec.training.warm_up
    assert (warm_up.learning_rate, warm_up.iterations) == (0.01, 400)
    training = base.training.model_copy(update={"warm_up": warm_up})
    assert (spec.training, spec.data) == (training, base.data)


@pytest.mark.parametrize("name", shipped_specs())
def test_a_spec_is_called_as_its_file(name):
    assert load_spec(name).name == name


@pytest.mark.parametrize("name", CIFAR)
def test_the_name_gives_depth_and_shortcut(name):
    kind, layers, option = re.fullmatch(
        r"(plain|resnet)(\d+)(?:-([bc]))?",
        name.removesuffix(f"-{arm_of(name)}"),
    ).groups()

    spec = load_spec(name)

    assert spec.expect.layers == census(spec.model).layers == int(layers)
    for stage in spec.model.stages:
        if kind == "plain":
            assert stage.block == "plain"
        else:
            assert stage.shortcut == (option or "a").upper()


@pytest.mark.parametrize("name", CIFAR)
def test_networks_are_those_of_section_4_2(name):
    model = load_spec(name).model

    assert model.input == (32, 32, 3)
    stem = (model.stem.kernel, model.stem.width, model.stem.stride)
    assert stem == (3, 16, 1)
    assert [stage.width for stage in model.stages] == [16, 32, 64]
    assert [stage.stride for stage in model.stages] == [1, 2, 2]
    assert len({stage.blocks for stage in model.stages}) == 1
    assert model.batch_norm.images_per_statistic == 64  # 128 on two GPUs


@pytest.mark.parametrize("name", CIFAR)
def test_training_is_that_of_section_4_2(name):
    spec = load_spec(name)
    training = spec.training

    assert training.batch_size == 128
    assert training.iterations == 64_000
    assert training.learning_rate == LearningRate(
        start=0.1, divide_by=10, at=(32_000, 48_000)
    )
    assert training.momentum == 0.9
    assert training.weight_decay == 1e-4
    assert spec.data.validation == 5_000
    preprocessing = ARMS[arm_of(name)] if arm_of(name) else (MEAN,)
    assert spec.data.transforms == (*preprocessing, *AUGMENTATION)


@pytest.mark.parametrize("name", [name for name in CIFAR if arm_of(name)])
def test_an_arm_differs_from_its_network_in_the_transforms_only(name):
    arm = load_spec(name)
    base = load_spec(name.removesuffix(f"-{arm_of(name)}"))

    data = arm.data.model_copy(update={"transforms": base.data.transforms})
    assert arm.model_copy(update={"name": base.name, "data": data}) == base


@pytest.mark.parametrize("name", CIFAR)
def test_only_nets_of_110_layers_and_more_warm_up(name):
    spec = load_spec(name)
    warm_up = spec.training.warm_up

    if spec.expect.layers < 110:
        assert warm_up is None
    else:
        assert warm_up.learning_rate == 0.01
        assert warm_up.until_training_error == 80
        assert warm_up.over == 50


def test_digits_is_the_smallest_residual_network():
    spec = load_spec("digits")

    assert spec.expect.layers == 8  # n = 1
    assert spec.model.input == (8, 8, 1)
    assert spec.data.dataset == "digits"


@pytest.mark.parametrize("name", shipped_specs())
def test_a_spec_is_flat_and_cites_the_paper(name):
    text = (resources.files("kresnet.specs") / f"{name}.yaml").read_text(
        encoding="utf-8"
    )

    assert any(paper in text for paper in PAPERS)
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("name", shipped_specs())
def test_a_spec_survives_being_written_and_read(name, tmp_path):
    spec, file = load_spec(name), tmp_path / "spec.yaml"

    file.write_text(dump_spec(spec), encoding="utf-8")

    assert load_spec(file) == spec
    # In the manifest of an export, too.
    assert Spec(**json.loads(json.dumps(spec.model_dump(mode="json")))) == spec
