"""What a spec may say, and what the message says when it may not."""

import re
from importlib import resources

import pytest

from kresnet.errors import SpecError
from kresnet.spec import DATASETS, load_spec

TEXT = (resources.files("kresnet.specs") / "resnet110.yaml").read_text(
    encoding="utf-8"
)
# Without `expect`, so that a change of the network has one consequence only.
TEXT = re.sub(r"expect:.*\n", "", TEXT)


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Loads resnet110 with texts replaced, each of them once."""
    monkeypatch.chdir(tmp_path)

    def load(*changes):
        text = TEXT
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
        return load_spec("x.yaml")

    return load


@pytest.fixture
def message(read):
    """The message, without its place, of the one problem of a change."""

    def refuse(*changes):
        with pytest.raises(SpecError) as caught:
            read(*changes)
        [line] = str(caught.value).splitlines()
        place, text = line.split(": ", 1)
        assert re.fullmatch(r"x\.yaml:\d+:\d+", place)
        return text

    return refuse


def test_the_unchanged_text_is_a_spec(read):
    assert read().name == "resnet110"


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (
            "classes: 10",
            "classes: '10'",
            "model.classes: must be an integer from 2 to 100,000, not a string."
            " Received: '10'",
        ),
        (
            "classes: 10",
            "classes: 10.0",
            "model.classes: must be an integer from 2 to 100,000, not a decimal"
            " number. Received: 10.0",
        ),
        (
            "classes: 10",
            "classes: true",
            "model.classes: must be an integer from 2 to 100,000, not a"
            " boolean. Received: true",
        ),
        (
            "classes: 10",
            "classes:",
            "model.classes: must be an integer from 2 to 100,000, not null."
            " Received: nothing",
        ),
        (
            "padding: 4",
            "padding: 016",
            "data.transforms[1].padding: must be an integer from 1 to 512, not"
            " a string. Received: 016",
        ),
        (
            "1e-4",
            "'1e-4'",
            "training.weight_decay: must be a number from 0 to 1, not a string."
            " Received: '1e-4'",
        ),
        (
            "1e-4",
            "true",
            "training.weight_decay: must be a number from 0 to 1, not a"
            " boolean. Received: true",
        ),
        (
            "1e-4",
            "1e400",
            "training.weight_decay: must be a number from 0 to 1."
            " Received: 1e400",
        ),
        (
            "1e-4",
            ".nan",
            "training.weight_decay: must be a number from 0 to 1."
            " Received: .nan",
        ),
        (
            "start: 0.1",
            "start: .inf",
            "training.learning_rate.start: must be a number above 0 and at most"
            " 100. Received: .inf",
        ),
        (
            "1e-4",
            "1e-4\n  decay_biases: yes",
            "training.decay_biases: must be true or false, not a string."
            " Received: yes",
        ),
        (
            "images_per_statistic: 64",
            "images_per_statistic: all",
            "model.batch_norm.images_per_statistic: must be an integer from 2"
            " to 65,536 or null, not a string. Received: all",
        ),
        (
            "[32, 32, 3]",
            "[32, 32]",
            "model.input: must be a list of 3 integers: height, width,"
            " channels. Received: [32, 32]",
        ),
        (
            "[32, 32, 3]",
            "32",
            "model.input: must be a list of 3 integers: height, width,"
            " channels, not an integer. Received: 32",
        ),
        (
            "{kernel: 3, width: 16, stride: 1}",
            "[3, 16, 1]",
            "model.stem: must be a mapping or null, not a list."
            " Received: [3, 16, 1]",
        ),
    ],
)
def test_a_wrong_type_is_named(message, old, new, want):
    assert message((old, new)) == want


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ("start: 0.1", "start: 0", "above 0 and at most 100. Received: 0"),
        (
            "start: 0.1",
            "start: -0.1",
            "above 0 and at most 100. Received: -0.1",
        ),
        ("divide_by: 10", "divide_by: 1", "above 1 and at most 1,000. Rec"),
        ("momentum: 0.9\n", "momentum: 1\n", "from 0 to below 1. Received: 1"),
        ("1e-4", "-1e-4", "from 0 to 1. Received: -1e-4"),
        ("blocks: 18", "blocks: 0", "from 1 to 1,000. Received: 0"),
        ("blocks: 18", "blocks: -1", "from 1 to 1,000. Received: -1"),
        ("width: 16", "width: 5000", "from 1 to 4,096. Received: 5000"),
        ("kernel: 3", "kernel: 9", "an integer from 1 to 7. Received: 9"),
        ("kernel: 3", "kernel: 4", "must be 1, 3, 5 or 7. Received: 4"),
        ("stride: 1}", "stride: 0}", "must be 1 or 2. Received: 0"),
        ("stride: 2}", "stride: 3}", "must be 1 or 2. Received: 3"),
        ("validation: 5000", "validation: -1", "from 0 to 10,000,000. Rec"),
        ("batch_size: 128", "batch_size: 0", "from 1 to 65,536. Received: 0"),
        ("iterations: 64000", "iterations: 0", "from 1 to 100,000,000. Rec"),
        ("iterations: 64000", f"iterations: {10**30}", "100,000,000. Received"),
        ("images_per_statistic: 64", "images_per_statistic: 1", "from 2 to"),
        ("epsilon: 1e-5", "epsilon: 0", "above 0 and below 1. Received: 0"),
        ("_error: 80", "_error: 101", "above 0 and at most 100. Received: 101"),
    ],
)
def test_every_number_has_bounds(message, old, new, want):
    assert want in message((old, new))


def test_far_too_many_blocks_are_estimated_and_not_built(message):
    """10⁹ blocks of two 3×3 convolutions of 16 filters: 2·9·16²·10⁹."""
    assert message(
        ("blocks: 18, width: 16", "blocks: 1000000000, width: 16")
    ) == (
        "model.stages[0].blocks: must be an integer from 1 to 1,000; so many of"
        " width 16 would have about 4.6e+12 parameters, 1.8e+04 GB."
        " Received: 1000000000"
    )


def test_a_network_that_no_memory_holds_is_estimated_and_not_built(message):
    change = ("blocks: 18, width: 64", "blocks: 1000, width: 4096")

    assert message(change) == (
        "model.stages: would have about 3.0e+11 parameters, 1,207 GB in"
        " float32; at most 1e+09 are allowed"
    )


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ("shortcut: A", "shortcut: D", "must be A, B or C. Received: D"),
        (
            "block: basic",
            "block: basik",
            "must be plain, basic, bottleneck or convolutions; did you mean"
            " basic? Received: basik",
        ),
        (
            "dataset: cifar10",
            "dataset: cifar11",
            "must be cifar10, cifar100, digits, folder, imagenet, svhn_cropped"
            " or tfds:NAME/VERSION; did you mean cifar10? Received: cifar11",
        ),
        (
            "{layer: random_flip}",
            "{layer: flip}",
            "must be per_pixel_mean, channel_mean, channel_standardize,"
            " rescale, zca_whitening, fancy_pca, random_crop or random_flip."
            " Received: flip",
        ),
    ],
)
def test_a_wrong_word_is_answered_with_the_list(message, old, new, want):
    assert message((old, new)).endswith(want)


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (
            "momentum: 0.9\n",
            "momentun: 0.9\n",
            "training.momentun: unknown field; did you mean momentum?",
        ),
        (
            "dataset: cifar10",
            "dataset: cifar10\n  zoom: 1",
            "data.zoom: unknown field; known here: dataset, validation,"
            " transforms, views, statistics",
        ),
        (
            "{block: basic",
            "{block: plain",
            "model.stages[0].shortcut: unknown field; block plain would ignore"
            " it, block basic or bottleneck has it",
        ),
        (
            "{layer: random_flip}",
            "{layer: random_flip, padding: 4}",
            "data.transforms[2].padding: unknown field; layer random_flip would"
            " ignore it, layer random_crop has it",
        ),
        (
            "over: 50 ",
            "over: 50\n    end: 3",
            "training.warm_up.end: unknown field; known here: learning_rate,"
            " until_training_error, over, limit, iterations",
        ),
    ],
)
def test_a_field_that_would_be_ignored_is_refused(message, old, new, want):
    assert message((old, new)) == want


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (
            "  classes: 10\n",
            "",
            "model.classes: missing; must be an integer from 2 to 100,000",
        ),
        (
            ", shortcut: A",
            "",
            "model.stages[0].shortcut: missing; must be A, B or C",
        ),
        (
            "block: basic, ",
            "",
            "model.stages[0].block: missing; must be plain, basic, bottleneck"
            " or convolutions",
        ),
        (
            "  stem: {kernel: 3, width: 16, stride: 1}\n",
            "",
            "model.stem: missing; must be a mapping with kernel, width and"
            " stride, or null",
        ),
        (
            ", padding: 4",
            "",
            "data.transforms[1].padding: missing; must be an integer from 1 to"
            " 512",
        ),
    ],
)
def test_a_missing_field_is_named_with_what_it_takes(message, old, new, want):
    assert message((old, new)) == want


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/etc/x",
        "a/b",
        "a\\b",
        "..",
        ".",
        ".hidden",
        "'a b'",
        "a" * 300,
        "''",
        "'a\n\n  b'",
        "größe",
        "nul",
        "COM1.x",
        "a.",
    ],
)
def test_a_name_is_safe_as_the_name_of_a_folder(message, name):
    assert message(("name: resnet110", f"name: {name}")).startswith("name: ")


def test_stages_may_not_be_empty_or_too_many(message):
    stages = TEXT[TEXT.index("  stages:") : TEXT.index("  classes")]
    many = (
        "  stages: [" + "{block: plain, blocks: 1, width: 9, stride: 1}, " * 9
    )

    want = "model.stages: must be a list of 1 to 8 stages. Received: ["
    assert message((stages, "  stages: []\n")).startswith(want)
    assert message((stages, f"{many}]\n")).startswith(want)


def test_a_stride_that_does_not_divide_shows_the_chain_of_sizes(message):
    stages = "    - {block: plain, blocks: 1, width: 64, stride: 2}\n" * 4

    assert message(("  classes: 10", f"{stages}  classes: 10")) == (
        "model.stages[6].stride: must divide the maps it meets; they go"
        " 32→16→8→4→2→1, and 1 is not divisible by 2. Received: 2"
    )


def test_an_odd_side_is_not_halved(read):
    with pytest.raises(SpecError) as caught:
        read(("[32, 32, 3]", "[32, 30, 3]"))

    assert "32×30→16×15, and 16×15 is not divisible by 2" in str(caught.value)


def test_option_a_never_narrows(message):
    assert message(("blocks: 18, width: 64", "blocks: 18, width: 31")) == (
        "model.stages[2].width: must be at least 32, the width before it:"
        " shortcut A pads with zero channels and cannot drop any; use shortcut"
        " B. Received: 31"
    )


@pytest.mark.parametrize("shortcut", ["B", "C"])
def test_projections_may_narrow(read, shortcut):
    change = ("A, blocks: 18, width: 64", f"{shortcut}, blocks: 18, width: 31")

    assert read(change).model.stages[2].width == 31


def test_option_a_may_subsample_and_keep_the_width(read):
    assert read(("width: 64", "width: 32")).model.stages[2].stride == 2


def test_a_network_fits_its_data_set(read):
    with pytest.raises(SpecError) as caught:
        read(
            ("[32, 32, 3]", "[8, 8, 3]"),
            ("classes: 10", "classes: 9"),
            ("dataset: cifar10", "dataset: digits"),
            ("validation: 5000", "validation: 137"),
        )

    assert str(caught.value).splitlines() == [
        "x.yaml:7:10: model.input: must be [8, 8, 1], the images of digits."
        " Received: [8, 8, 3]",
        "x.yaml:13:12: model.classes: must be 10, the classes of digits."
        " Received: 9",
    ]


def test_the_facts_about_the_data_sets_are_theirs():
    from sklearn.datasets import load_digits

    digits = load_digits()
    facts = DATASETS["digits"]
    assert facts.input == (*digits.images.shape[1:], 1)
    assert facts.classes == len(digits.target_names)
    assert facts.white == digits.images.max()
    assert facts.train + facts.test == len(digits.target)
    # Krizhevsky 2009: 60,000 colour images in 10 classes, 10,000 for testing.
    facts = DATASETS["cifar10"]
    assert (facts.input, facts.classes) == ((32, 32, 3), 10)
    assert (facts.train, facts.test) == (50_000, 10_000)


def test_a_transform_is_used_once(message):
    change = ("{layer: random_flip}", "{layer: per_pixel_mean}")

    assert message(change) == (
        "data.transforms[2]: must not repeat per_pixel_mean, which is"
        " transforms[0]. Received: {layer: per_pixel_mean}"
    )


def test_digits_may_be_flipped():
    transforms = "[{layer: random_crop, padding: 1}, {layer: random_flip}]"

    spec = load_spec("digits", [f"data.transforms={transforms}"])

    assert spec.data.transforms[1].layer == "random_flip"


def transforms(*names: str) -> tuple[str, str]:
    """A change of all transforms to these, with usual arguments."""
    arguments = {
        "rescale": ", divide_by: 255",
        "zca_whitening": ", epsilon: 0.01",
        "fancy_pca": ", stddev: 0.1",
        "random_crop": ", padding: 4",
    }
    old = TEXT[TEXT.index("    - {layer: per") : TEXT.index("\ntraining:")]
    new = (f"    - {{layer: {n}{arguments.get(n, '')}}}\n" for n in names)
    return old, "".join(new)


@pytest.mark.parametrize(
    "names",
    [
        ("per_pixel_mean", "rescale", "zca_whitening", "random_crop"),
        ("rescale", "per_pixel_mean", "fancy_pca", "random_flip"),
        ("random_crop", "random_flip", "rescale", "channel_standardize"),
        ("rescale", "random_flip", "fancy_pca", "channel_standardize"),
        ("rescale", "fancy_pca", "zca_whitening"),
        ("channel_mean", "zca_whitening"),
        ("random_crop", "per_pixel_mean"),
        ("random_flip",),
    ],
)
def test_transforms_may_come_in_any_order_that_makes_sense(read, names):
    spec = read(transforms(*names))

    assert tuple(t.layer for t in spec.data.transforms) == names


@pytest.mark.parametrize("name", ["per_pixel_mean", "channel_mean"])
@pytest.mark.parametrize(
    "before",
    ["per_pixel_mean", "channel_mean", "channel_standardize", "zca_whitening"],
)
def test_a_mean_is_not_subtracted_from_images_of_mean_zero(
    message, name, before
):
    if name == before:
        return  # refused as a repetition
    names = ("rescale", before, "random_crop", name)

    assert message(transforms(*names)) == (
        f"data.transforms[3]: must not follow {before}, transforms[1], which"
        f" has subtracted a mean already. Received: {{layer: {name}}}"
    )


@pytest.mark.parametrize("moved", ["random_crop", "random_flip"])
def test_images_are_whitened_before_they_are_moved(message, moved):
    names = ("per_pixel_mean", moved, "zca_whitening")

    assert message(transforms(*names)) == (
        f"data.transforms[2]: must come before {moved}, transforms[1]: its"
        " statistics are those of images that are not moved."
        " Received: {layer: zca_whitening, epsilon: 0.01}"
    )


def test_images_too_large_to_be_whitened_are_refused(read):
    with pytest.raises(SpecError) as caught:
        read(transforms("zca_whitening"), ("[32, 32, 3]", "[64, 64, 3]"))

    assert (
        "data.transforms[0]: must have images of at most 8,192 values, not"
        " 12,288: their covariance has as many rows and columns."
        in str(caught.value)
    )


def test_the_layer_and_the_check_have_the_same_limit():
    from kresnet.layers import zca_whitening
    from kresnet.spec import transforms

    assert transforms.LARGEST_WHITENED == zca_whitening.LARGEST


UNITS = (
    "must come after {layer: rescale, divide_by: 255}: its shift grows with the"
    " square of the pixels' scale, and stddev is meant for colours from 0 to 1."
    " Received: {layer: fancy_pca, stddev: 0.1}"
)


@pytest.mark.parametrize(
    "names", [("fancy_pca",), ("channel_mean", "fancy_pca", "rescale")]
)
def test_colours_are_not_shifted_by_thousands_of_grey_levels(message, names):
    place = names.index("fancy_pca")

    assert message(transforms(*names)) == f"data.transforms[{place}]: {UNITS}"


def test_units_other_than_0_to_1_are_not_shifted(message):
    change = transforms("rescale", "fancy_pca")

    assert message(change, ("divide_by: 255", "divide_by: 128")) == (
        f"data.transforms[1]: {UNITS}"
    )


@pytest.mark.parametrize("other", ["channel_standardize", "zca_whitening"])
def test_what_is_no_colour_any_more_is_not_shifted(message, other):
    assert message(transforms("rescale", other, "fancy_pca")) == (
        f"data.transforms[2]: must come before {other}, transforms[1], after"
        " which values are no colours from 0 to 1."
        " Received: {layer: fancy_pca, stddev: 0.1}"
    )


def test_images_without_three_channels_have_no_colours():
    names = "{layer: rescale, divide_by: 255}, {layer: fancy_pca, stddev: 0.1}"
    with pytest.raises(SpecError, match=r"of 3 channels, .* not 1"):
        load_spec("digits", [f"data.transforms=[{names}]"])


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ("by: 255", "by: 0", "divide_by: must be a number above 0 and at most"),
        ("by: 255", "by: -1", "divide_by: must be a number above 0 and at"),
        (
            "lon: 0.01",
            "lon: 0",
            "epsilon: must be a number above 0 and at",
        ),
        (", epsilon: 0.01", "", "epsilon: missing; must be a number above 0"),
    ],
)
def test_arguments_of_transforms_have_bounds(message, old, new, want):
    change = transforms("rescale", "zca_whitening")

    assert want in message(change, (old, new))


def test_a_deviation_of_nothing_is_refused(message):
    change = transforms("rescale", "fancy_pca")

    assert "stddev: must be a number above 0 and at most 10. Received: 0" in (
        message(change, ("stddev: 0.1", "stddev: 0"))
    )


def test_a_crop_shows_some_of_the_image(message):
    assert message(("padding: 4", "padding: 32")) == (
        "data.transforms[1].padding: must be below 32, the shorter side of the"
        " input, or a crop could be all padding. Received: 32"
    )


def test_validation_leaves_images_for_a_batch(message, read):
    assert message(("validation: 5000", "validation: 50000")) == (
        "data.validation: must be below 50,000, the training images of cifar10."
        " Received: 50000"
    )
    assert message(("validation: 5000", "validation: 49873")) == (
        "training.batch_size: must be at most 127, the training images of"
        " cifar10 that validation leaves. Received: 128"
    )
    assert read(("validation: 5000", "validation: 49872"))
    assert read(("validation: 5000", "validation: 0"))


def test_a_batch_is_a_whole_number_of_statistics(message, read):
    assert message(("batch_size: 128", "batch_size: 100")) == (
        "training.batch_size: must be a multiple of"
        " model.batch_norm.images_per_statistic, 64; nearest: 64 or 128."
        " Received: 100"
    )
    whole = ("images_per_statistic: 64", "images_per_statistic: null")
    assert read(("batch_size: 128", "batch_size: 100"), whole)


def test_drops_rise_and_come_before_the_end(message):
    assert message(("[32000, 48000]", "[32000, 32000]")) == (
        "training.learning_rate.at[1]: must be above 32000, the one before."
        " Received: 32000"
    )
    assert message(("[32000, 48000]", "[32000, 64000]")) == (
        "training.learning_rate.at[1]: must be below training.iterations,"
        " 64000. Received: 64000"
    )


def test_a_rate_may_stay_constant(read):
    assert read(("[32000, 48000]", "[]")).training.learning_rate.at == ()


def test_a_warm_up_has_one_end(message):
    text = message(("over: 50 ", "over: 40 "), ("limit: 4000", "iterations: 4"))
    assert "warm_up.over: must be left out: the warm-up has a number" in text
    assert "limit: missing; must be an integer" in message(("limit: 4000", ""))


def test_nesterov_s_momentum_needs_some(message):
    text = message(
        ("momentum: 0.9\n  weight", "momentum: 0\n  nesterov: true\n  weight")
    )
    assert "training.nesterov: must be false or left out" in text


def test_a_warm_up_can_end_within_its_limit_and_the_run(message):
    assert message(("limit: 4000", "limit: 49")) == (
        "training.warm_up.limit: must be at least 50, the batches of `over`, or"
        " the warm-up could not end. Received: 49"
    )
    assert message(("limit: 4000", "limit: 64001")) == (
        "training.warm_up.limit: must be at most training.iterations, 64000, or"
        " it would never apply. Received: 64001"
    )


@pytest.mark.parametrize("field", ["decay_biases", "decay_batch_norm"])
def test_what_is_decayed_is_not_said_without_decay(message, read, field):
    assert message(("1e-4", f"0\n  {field}: true")) == (
        f"training.{field}: must be false or left out: training.weight_decay is"
        " 0, so nothing is decayed. Received: true"
    )
    assert getattr(read(("1e-4", f"1e-4\n  {field}: true")).training, field)


def test_expected_counts_are_compared_with_the_sums(read):
    want = "expect: {layers: 56, parameters: 853018}\n"
    with pytest.raises(SpecError) as caught:
        read(("name: resnet110\n", f"name: resnet110\n{want}"))

    layers, parameters = str(caught.value).splitlines()
    assert layers.endswith(
        "expect.layers is 56, but stem 1 + stages 36 + 36 + 36 + classifier 1"
        " make 110"
    )
    # 432 weights + 32 of batch norm; 64 · 10 weights + 10 biases; the rest.
    assert "but stem 464 + stages " in parameters
    assert parameters.endswith(" + classifier 650 make 1,727,962")


def fields_refused(read, *changes):
    with pytest.raises(SpecError) as caught:
        read(*changes)
    return [line.split(": ")[1] for line in str(caught.value).splitlines()]


def test_what_parts_must_agree_on_is_checked_when_each_is_sound(read):
    """All mistakes of the parts first, whichever part they are in."""
    batch = ("batch_size: 128", "batch_size: 100")

    assert fields_refused(
        read,
        ("momentum: 0.9, epsilon", "momentum: 2, epsilon"),
        ("kernel: 3", "kernel: 9"),
        ("weight_decay: 1e-4", "weight_decay: -1"),
        batch,
    ) == [
        "model.stem.kernel",
        "model.batch_norm.momentum",
        "training.weight_decay",
    ]
    assert fields_refused(read, batch) == ["training.batch_size"]


@pytest.mark.parametrize("channels", [2, 4])
def test_a_photo_has_one_channel_or_three(channels):
    """Not an array that cannot be reshaped, once it is read."""
    changes = ["data.transforms=[]", f"model.input=[224,224,{channels}]"]

    with pytest.raises(SpecError) as caught:
        load_spec("resnet18", changes)
    assert "model.input[2]: must be 3 channels of a photo" in str(caught.value)
    assert load_spec("resnet18", [changes[0], "model.input=[224,224,1]"])
