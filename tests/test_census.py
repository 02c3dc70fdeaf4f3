"""The census equals the table of the paper's CIFAR-10 networks, exactly."""

import time

import pytest

from kresnet.architecture import (
    BasicStage,
    BatchNorm,
    ModelSpec,
    PlainStage,
    Stem,
    census,
    layer_table,
)

# He et al. 2015, section 4.2: 6n+2 layers; parameters computed by hand for
# options A, B and C, and multiply-adds in millions for option A.
TABLE = {
    20: (269_722, 272_474, 283_962, "40.55"),
    32: (464_154, 466_906, 489_594, "68.86"),
    44: (658_586, 661_338, 695_226, "97.17"),
    56: (853_018, 855_770, 900_858, "125.49"),
    110: (1_727_962, 1_730_714, 1_826_202, "252.89"),
    1202: (19_421_274, 19_424_026, 20_538_714, "2829.24"),
}


def network(layers: int, shortcut: str | None = "A") -> ModelSpec:
    """The CIFAR-10 network of a depth; no shortcut makes it plain."""

    def stage(width, stride):
        parts = {"blocks": (layers - 2) // 6, "width": width, "stride": stride}
        if shortcut is None:
            return PlainStage(block="plain", **parts)
        return BasicStage(block="basic", shortcut=shortcut, **parts)

    return ModelSpec(
        input=(32, 32, 3),
        stem=Stem(kernel=3, width=16, stride=1),
        stages=(stage(16, 1), stage(32, 2), stage(64, 2)),
        classes=10,
        batch_norm=BatchNorm(
            images_per_statistic=64, momentum=0.9, epsilon=1e-5
        ),
    )


@pytest.mark.parametrize("shortcut", [None, "A", "B", "C"])
@pytest.mark.parametrize("layers", TABLE)
def test_depth_is_6n_plus_2_and_projections_do_not_count(layers, shortcut):
    assert census(network(layers, shortcut)).layers == layers


@pytest.mark.parametrize("option", ["A", "B", "C"])
@pytest.mark.parametrize("layers", TABLE)
def test_parameters_are_those_of_the_table(layers, option):
    want = TABLE[layers]["ABC".index(option)]

    assert census(network(layers, option)).parameters == want


@pytest.mark.parametrize("layers", TABLE)
def test_multiply_adds_are_those_of_the_table(layers):
    millions = census(network(layers)).multiply_adds / 1e6

    assert f"{millions:.2f}" == TABLE[layers][3]


@pytest.mark.parametrize("layers", TABLE)
def test_option_a_costs_nothing_over_a_plain_net(layers):
    plain, option_a = census(network(layers, None)), census(network(layers))

    assert plain.parameters == option_a.parameters
    assert plain.multiply_adds == option_a.multiply_adds


def test_a_projection_is_a_1x1_convolution_with_batch_norm():
    """Option B projects twice: 16 to 32 on 16×16 maps, 32 to 64 on 8×8."""
    a, b = census(network(20, "A")), census(network(20, "B"))

    extra = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert b.parameters - a.parameters == extra
    work = 16 * 32 * 16 * 16 + 32 * 64 * 8 * 8
    assert b.multiply_adds - a.multiply_adds == work


def test_rows_have_the_names_and_sizes_of_the_paper():
    rows = {row.name: row for row in census(network(20)).rows}

    blocks = [f"conv{i}_{j}" for i in (2, 3, 4) for j in (1, 2, 3)]
    assert list(rows) == ["conv1", *blocks, "pool", "fc"]
    assert rows["conv1"].output == (32, 32, 16)
    assert rows["conv2_3"].output == (32, 32, 16)
    assert rows["conv3_1"].output == (16, 16, 32)
    assert rows["conv4_3"].output == (8, 8, 64)
    assert rows["fc"].output == (1, 1, 10)
    assert [n for n, row in rows.items() if not row.weighted] == ["pool"]


def test_totals_are_the_sums_of_the_rows():
    counted = census(network(56, "C"))

    assert counted.layers == sum(row.layers for row in counted.rows)
    assert counted.parameters == sum(row.parameters for row in counted.rows)
    work = sum(row.multiply_adds for row in counted.rows)
    assert counted.multiply_adds == work


def test_1202_layers_are_counted_without_waiting():
    """It takes about 15 ms of this thread."""
    model = network(1202)

    start = time.thread_time()
    census(model)

    assert time.thread_time() - start < 0.1


def test_table_ends_with_the_totals_and_says_what_they_count():
    *_, total, _, note = layer_table(census(network(20))).splitlines()

    assert total.split() == ["total", "20", "269,722", "40,551,040"]
    assert note.startswith("Multiply-adds")
