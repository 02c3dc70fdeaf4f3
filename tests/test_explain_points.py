"""What the paper says and what a spec does, point by point."""

import re

import pytest

import kresnet.spec
from kresnet import architecture
from kresnet.explain import (
    DEVIATES,
    EQUAL,
    EQUIVALENT,
    GRADES,
    experiments_of,
    explain,
    printed_network,
    reasons_against,
)
from kresnet.explain.explain import COVERED, other_points
from kresnet.spec import TrainingSpec, load_spec, shipped_specs

CIFAR10 = [
    name
    for name in shipped_specs()
    if re.fullmatch(
        r"(plain|resnet)(20|32|44|56|110|1202)"
        r"(-b|-c|-channel-\w+|-fancy-pca|-mean255|-none|-zca)?",
        name,
    )
    and name != "resnet110-c"
]
# The networks of the second paper's two tables, and of its ResNet-1001.
LATER = [
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
]
IMAGENET = [
    *("plain18", "plain34", "resnet18", "resnet18-a", "resnet34"),
    *("resnet34-a", "resnet34-c", "resnet50", "resnet101", "resnet152"),
]
TESTING = "batch norm, statistics in testing"

# What shipped specs do otherwise than the paper, the statistics of batch norm
# in testing aside. The other specs do nothing.
DEVIATIONS = {
    "plain110": {"warm-up"},
    "resnet20-b": {"shortcuts"},
    "resnet20-c": {"shortcuts", "counts"},
    "resnet56-b": {"shortcuts", "counts"},
    "resnet56-c": {"shortcuts", "counts"},
    "digits": {
        "architecture",
        "counts",
        "data set",
        "split",
        "augmentation",
        "iterations",
        "learning rate",
        "weight decay",
    },
}


def grades(spec, info=None):
    return {point.topic: point.grade for point in explain(spec, info)}


def deviations(spec):
    return {t for t, grade in grades(spec).items() if grade == DEVIATES}


# Arms of preprocessing, by the ending of their names.
ARMS = {
    "channel-mean": {"preprocessing"},
    "channel-std": {"preprocessing"},
    "mean255": {"preprocessing"},
    "none": {"preprocessing"},
    "zca": {"preprocessing"},
    "fancy-pca": {"preprocessing", "augmentation"},
}


@pytest.mark.parametrize("name", [*CIFAR10, "digits"])
def test_the_deviations_of_every_shipped_spec_are_these(name):
    arm = ARMS.get(name.partition("-")[2], set())

    found = deviations(load_spec(name)) - {TESTING}

    assert found == DEVIATIONS.get(name, arm)


@pytest.mark.parametrize("name", LATER)
def test_networks_of_identity_mappings_stand_beside_their_own_paper(name):
    spec = load_spec(name)

    assert experiments_of(spec).title.startswith("He et al. 2016")
    assert printed_network(spec.model, experiments_of(spec))[0] == name
    assert deviations(spec) == {TESTING}


def test_resnet110_is_in_both_papers_and_its_start_tells_which():
    until = load_spec("resnet110")
    fixed = load_spec(
        "resnet110",
        ["training.warm_up={learning_rate: 0.01, iterations: 400}"],
    )

    assert experiments_of(until).title.startswith("He et al. 2015")
    assert experiments_of(fixed).title.startswith("He et al. 2016")
    assert deviations(until) == deviations(fixed) == {TESTING}


@pytest.mark.parametrize("name", IMAGENET)
def test_networks_of_table_1_deviate_in_their_tests_alone(name):
    spec = load_spec(name)

    assert experiments_of(spec).title == "He et al. 2015 on ImageNet"
    assert deviations(spec) == {TESTING, "evaluation"}


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_vgg_stands_beside_its_own_paper(name):
    """Its deeper nets began with the weights of configuration A."""
    spec = load_spec(name)

    assert experiments_of(spec).title == "Simonyan, Zisserman 2014 on ImageNet"
    assert deviations(spec) == {"initialisation", "evaluation"}


@pytest.mark.parametrize(
    ("change", "here"),
    [
        ("model.head.dropout=0.3", "0.3 after each dense layer of the head"),
        ("model.head.dropout=null", "none"),
    ],
)
def test_another_rate_of_dropout_than_that_of_vgg_deviates(change, here):
    spec = load_spec("vgg16", [change])

    (point,) = (each for each in explain(spec) if each.topic == "dropout")
    assert (point.grade, point.here) == ("deviates", here)


VGG16 = {
    (256, 512): "25.6 / 8.1 (table 3: dense), 24.8 / 7.5 (table 4: dense),"
    " 24.6 / 7.5 (table 5: multi-crop), 24.4 / 7.2 (table 5: dense-and-crop)",
    (384, 384): "26.8 / 8.7 (table 3: dense), 26.5 / 8.6 (table 4: dense)",
    (256, 256): "27.0 / 8.8 (table 3: dense), 26.6 / 8.6 (table 4: dense)",
}


@pytest.mark.parametrize("side", VGG16)
def test_the_errors_of_vgg_are_those_of_its_sizes_in_training(side):
    """Simonyan, Zisserman 2014, tables 3 to 5."""
    change = f"data.views.train.shorter_side={list(side)}"
    spec = load_spec("vgg16", [change])

    said = {point.topic: point.paper for point in explain(spec)}
    assert said["evaluation"].endswith(f"; of vgg16: {VGG16[side]}")
    assert "augmentation" not in deviations(spec)


@pytest.mark.parametrize(
    ("name", "topics"),
    [
        ("resnet50-v1.5", {"architecture", "counts", "augmentation"}),
        ("wrn28-10", {"architecture", "learning rate", "momentum, form"}),
        ("vgg16-bn", {"architecture", "batch norm, place"}),
        ("resnet110-fixup", {"initialisation", "batch norm, place"}),
        ("resnet110-group", {"model.group_norm", "batch norm, place"}),
        ("stochastic110", {"model.survival", "dropout", "iterations"}),
        ("highway110", {"model.stages[0].gate"}),
    ],
)
def test_networks_of_other_papers_deviate_in_what_they_brought(name, topics):
    assert topics < deviations(load_spec(name))


@pytest.mark.parametrize("name", shipped_specs())
def test_every_point_cites_the_paper_and_has_a_grade(name):
    points = explain(load_spec(name))

    assert len({point.topic for point in points}) == len(points)
    for point in points:
        assert point.grade in GRADES
        assert point.source.startswith(("section", "release notes"))
        assert point.paper
        assert point.here


def test_what_the_paper_leaves_open_is_never_called_equal():
    for point in explain(load_spec("resnet20")):
        if "not stated" in point.paper:
            assert point.grade == EQUIVALENT, point.topic


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        ("model.stages[0].blocks=4", "architecture"),
        ("model.stem.kernel=5", "architecture"),
        ("model.batch_norm.images_per_statistic=null", "batch norm, stat"),
        ("model.batch_norm.images_per_statistic=32", "batch norm, stat"),
        ("model.batch_norm.epsilon=1e-3", "batch norm, ε"),
        ("model.batch_norm.momentum=0.99", "batch norm, ε"),
        ("data.validation=10000", "split"),
        ("data.transforms=[]", "preprocessing"),
        ("data.transforms[1].padding=2", "augmentation"),
        ("training.batch_size=64", "batch"),
        ("training.iterations=63999", "iterations"),
        ("training.learning_rate.start=0.05", "learning rate"),
        ("training.learning_rate.at=[32000]", "learning rate"),
        ("training.momentum=0.8", "momentum"),
        ("training.weight_decay=5e-4", "weight decay"),
        ("training.warm_up.limit=4000", "warm-up"),
    ],
)
def test_each_change_of_the_recipe_is_a_deviation(change, topic):
    recipe = load_spec("resnet20")
    changed = load_spec("resnet20", [change])

    new = deviations(changed) - deviations(recipe)

    assert any(name.startswith(topic) for name in new), new


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        ("data.validation=0", "split"),
        ("training.decay_batch_norm=true", "weight decay, of what"),
        ("training.decay_biases=true", "weight decay, of what"),
    ],
)
def test_a_choice_that_the_paper_leaves_open_is_no_deviation(change, topic):
    spec = load_spec("resnet20", [change])

    assert grades(spec)[topic] == EQUIVALENT
    assert deviations(spec) == {TESTING}


def test_a_batch_of_64_in_one_group_has_the_paper_s_statistics():
    """64 images share a statistic, as on one of the two GPUs."""
    spec = load_spec(
        "resnet20",
        [
            "training.batch_size=64",
            "model.batch_norm.images_per_statistic=null",
        ],
    )

    assert (
        grades(spec)["batch norm, statistics in training"],
        grades(spec)["batch"],
    ) == (EQUIVALENT, DEVIATES)


def test_the_110_layers_need_their_warm_up_and_1202_may_have_it():
    """Section 4.2: 0.01 until the error is below 80 %, on 110 layers."""
    without = ["training.warm_up=null"]
    half = ["training.warm_up.learning_rate=0.05"]

    assert grades(load_spec("resnet110"))["warm-up"] == EQUIVALENT
    assert grades(load_spec("resnet110", without))["warm-up"] == DEVIATES
    assert grades(load_spec("resnet110", half))["warm-up"] == DEVIATES
    assert grades(load_spec("resnet1202", without))["warm-up"] == EQUIVALENT
    assert grades(load_spec("resnet56"))["warm-up"] == EQUAL


@pytest.mark.parametrize("name", CIFAR10)
def test_the_networks_of_the_paper_are_recognised_whatever_their_name(name):
    spec = load_spec(name, ["name=mine"])

    network, _, variant = name.partition("-")
    wanted = None if variant in ("b", "c") else network
    found = printed_network(spec.model, experiments_of(spec))
    assert (found and found[0]) == wanted


def test_a_network_between_those_of_the_paper_is_none_of_them():
    four = [f"model.stages[{i}].blocks=4" for i in range(3)]
    spec = load_spec("resnet20", four)

    assert printed_network(spec.model, experiments_of(spec)) is None
    assert deviations(spec) == {"counts", TESTING}


def test_a_clipped_gradient_is_a_deviation():
    clipped = load_spec("resnet20", ["training.gradient_clip=1.0"])

    assert "gradient clipping" not in deviations(load_spec("resnet20"))
    assert "gradient clipping" in deviations(clipped)
    assert "gradient clipping: to a norm of 1" in reasons_against(
        explain(clipped)
    )


class Later(TrainingSpec):
    """A training with a field that no point speaks of yet."""

    cosine: bool = False


def with_later_training(spec, **changes):
    fields = spec.training.model_dump() | changes
    training = Later.model_validate(fields)
    return spec.model_copy(update={"training": training})


def test_a_field_that_no_point_speaks_of_is_a_deviation(monkeypatch):
    monkeypatch.setitem(COVERED, "Later", COVERED["TrainingSpec"])
    spec = load_spec("resnet20")

    paper = experiments_of(spec)
    assert not list(other_points(with_later_training(spec), paper))
    (point,) = other_points(with_later_training(spec, cosine=True), paper)
    assert (point.topic, point.here, point.grade) == (
        "training.cosine",
        "True",
        DEVIATES,
    )


@pytest.mark.parametrize(
    ("transforms", "topics"),
    [
        ("per_pixel_mean; rescale, divide_by: 255", {"preprocessing"}),
        ("zca_whitening, epsilon: 0.1", {"preprocessing"}),
        ("channel_mean", {"preprocessing"}),
        ("channel_standardize", {"preprocessing"}),
        (
            "rescale, divide_by: 255; fancy_pca, stddev: 0.1",
            {"preprocessing", "augmentation"},
        ),
    ],
)
def test_transforms_that_are_not_the_paper_s_are_deviations(transforms, topics):
    text = f"{transforms}; random_crop, padding: 4; random_flip"
    layers = ", ".join(f"{{layer: {each}}}" for each in text.split("; "))

    assert topics == deviations(
        load_spec("resnet20", [f"data.transforms=[{layers}]"])
    ) - {TESTING}


PARTS = vars(architecture) | vars(kresnet.spec)


@pytest.mark.parametrize("part", COVERED)
def test_the_fields_that_points_speak_of_exist(part):
    fields = set(PARTS[part].model_fields)

    assert set(COVERED[part].split()) - fields == set()
