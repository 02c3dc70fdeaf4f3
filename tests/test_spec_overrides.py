"""Overrides change any field, with the same checks, and are cited."""

import pytest

from kresnet.errors import SpecError
from kresnet.spec import load_spec


def refused(name, *overrides):
    """Loads a shipped spec with overrides that must be refused."""
    with pytest.raises(SpecError) as caught:
        load_spec(name, overrides)
    return str(caught.value).splitlines()


def test_any_field_can_be_changed():
    spec = load_spec(
        "plain56",
        [
            "name=short",
            "training.iterations=1500",
            "training.learning_rate.at=[750, 1125]",
            "training.weight_decay=5e-4",
            "data.transforms=[{layer: random_flip}]",
            "model.batch_norm.images_per_statistic=null",
        ],
    )

    assert spec.name == "short"
    assert spec.training.iterations == 1_500
    assert spec.training.learning_rate.at == (750, 1_125)
    assert spec.training.learning_rate.start == 0.1
    assert spec.training.weight_decay == 5e-4
    assert [transform.layer for transform in spec.data.transforms] == [
        "random_flip"
    ]
    assert spec.model.batch_norm.images_per_statistic is None


@pytest.mark.parametrize(
    "path", ["model.stages[0].blocks", "model.stages.0.blocks"]
)
def test_an_entry_of_a_list_has_two_spellings(path):
    stages = load_spec("plain56", [f"{path}=3"]).model.stages

    assert [stage.blocks for stage in stages] == [3, 9, 9]


def test_a_part_that_the_file_leaves_out_can_be_set():
    warm_up = load_spec("plain56", ["training.warm_up.limit=900"]).training

    assert warm_up.warm_up.limit == 900
    assert warm_up.warm_up.learning_rate == 0.01  # its default


def test_a_part_can_be_taken_away():
    spec = load_spec("resnet110", ["training.warm_up=null", "expect=null"])

    assert spec.training.warm_up is None
    assert spec.expect is None


def test_overrides_apply_in_their_order():
    stage = "{block: basic, shortcut: B, blocks: 1, width: 16, stride: 1}"

    spec = load_spec(
        "resnet20", [f"model.stages=[{stage}]", "model.stages.0.blocks=5"]
    )

    [stage] = spec.model.stages
    assert (stage.shortcut, stage.blocks) == ("B", 5)


def test_a_changed_model_drops_expect_and_says_so():
    notices = []

    spec = load_spec("plain56", ["model.classes=10"], notices.append)

    assert spec.expect is None
    [notice] = notices
    assert "expect is dropped" in notice


def test_expect_stays_where_the_model_does_or_where_it_is_set():
    notices = []
    # Three blocks of two 3×3×16×16 convolutions and batch norms fewer.
    parameters = 853_018 - 3 * 2 * (9 * 16 * 16 + 2 * 16)
    expect = f"expect={{layers: 50, parameters: {parameters}}}"

    kept = load_spec("plain56", ["training.iterations=50000"], notices.append)
    said = load_spec(
        "plain56", ["model.stages[0].blocks=6", expect], notices.append
    )

    assert kept.expect.layers == 56
    assert said.expect.layers == 50
    assert notices == []


def test_messages_cite_the_override():
    assert refused(
        "plain56",
        "training.momentum=x",
        "training.momentun=0.5",
        "model.stages[0].width=0",
        "training.learning_rate.at=[3, 2]",
    ) == [
        "--set training.momentum=x: training.momentum: must be a number from 0"
        " to below 1, not a string. Received: x",
        "--set training.momentun=0.5: training.momentun: unknown field; did you"
        " mean momentum?",
        "--set model.stages[0].width=0: model.stages[0].width: must be an"
        " integer from 1 to 4,096. Received: 0",
        "--set training.learning_rate.at=[3, 2]: training.learning_rate.at[1]:"
        " must be above 3, the one before. Received: 2",
    ]
    assert refused("plain56", "training.batch_size=100") == [
        "--set training.batch_size=100: training.batch_size: must be a multiple"
        " of model.batch_norm.images_per_statistic, 64; nearest: 64 or 128."
        " Received: 100",
    ]


def test_an_override_is_cited_where_it_contradicts_the_file():
    """The drop at 32,000 stands in the file, and the override is at fault."""
    lines = refused("plain56", "training.iterations=40000")

    assert lines == [
        "--set training.iterations=40000: training.learning_rate.at[1]: must be"
        " below training.iterations, 40000. Received: 48000"
    ]


def test_mistakes_of_the_file_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text("nmae: x\n")

    lines = refused("x.yaml", "model=3")

    assert lines[-1].startswith("--set model=3: model: must be a mapping")
    assert all(line.startswith("x.yaml:1:1: ") for line in lines[:-1])


@pytest.mark.parametrize(
    ("override", "want"),
    [
        ("training.momentum", "must be FIELD=VALUE, such as"),
        ("=3", "must name a field, such as"),
        ("a..b=3", "must name a field, such as"),
        ("a[x]=3", "must name a field, such as"),
        ("model.stages[0=3", "must name a field, such as"),
        (".name=x", "must name a field, such as"),
        ("e\udcff=3", "must name a field, such as"),
        ("name=", "no value; write null for none"),
        ("model.stages[3].blocks=1", "3 is not an entry of a list of 3; they"),
        ("model.stages.x.blocks=1", "x is not an entry of a list of 3; they"),
        ("model.classes.x=1", "there is nothing to set inside 10"),
        ("modle.classes=1", "modle: unknown field; did you mean model?"),
        ("data.validation=[", "not YAML: "),
        ("data.validation=*a", "aliases (*a) are not allowed"),
        ("data.validation=&a 3", "anchors (&a) are not allowed"),
        ("data.validation=!!int 3", "tags (tag:yaml.org,2002:int) are not"),
        ("data={validation: 1, validation: 2}", "duplicate key validation"),
        ("name=\x1b[31m", "not YAML: character U+001B"),
        ("name=\udcff", "not YAML: character U+DCFF"),
        ("data.validation=016", "data.validation: must be an integer from"),
        ("data.validation=5e3", "data.validation: must be an integer from"),
    ],
)
def test_an_override_that_cannot_be_applied_is_explained(override, want):
    [line] = refused("plain56", override)

    label = f"--set {override}" if override.isprintable() else "--set '"
    assert line.startswith(label)
    assert line.isprintable()
    assert want in line.removeprefix(label)


def test_a_field_is_set_once():
    [line] = refused(
        "plain56", "training.momentum=0.5", "training.momentum=0.6"
    )

    assert line == "--set training.momentum=0.6: set twice"


@pytest.mark.parametrize("kernel", ["true", "3.0", "2"])
def test_a_choice_of_integers_takes_no_other_kind_of_number(kernel):
    """By itself a Literal takes true for 1, and 3.0 for 3."""
    change = f"model.stages[0].gate.kernel={kernel}"

    with pytest.raises(SpecError, match=f"must be 1 or 3. Received: {kernel}"):
        load_spec("resnet110-gated", [change])
