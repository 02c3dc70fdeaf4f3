"""Characters that cannot be seen, or are no plain space, are named in place."""

import unicodedata

import pytest

from kresnet.errors import SpecError
from kresnet.spec import load_spec
from kresnet.study import load_study

SPEC = """\
name: small
model:
  input: [8, 8, 1]
  stem: {kernel: 3, width: 16, stride: 1}
  stages:
    - {block: basic, shortcut: A, blocks: 1, width: 16, stride: 1}
  classes: 10
  batch_norm: {images_per_statistic: 64, momentum: 0.9, epsilon: 1e-5}
data:
  dataset: digits
  validation: 137
  transforms:
    - {layer: per_pixel_mean}
training:
  batch_size: 128
  iterations: 60
  learning_rate: {start: 0.1, divide_by: 10, at: [30]}
  momentum: 0.9
  weight_decay: 1e-3
"""
NO_BREAK, ZERO_WIDTH, LINE = "\u00a0", "\u200b", "\u2028"
# Before, after, and where the character comes in: line and column from 1.
PLACES = [
    ("batch_size: 128", "batch_size:{}128", (15, 14)),
    ("batch_size: 128", "batch_size: {}128", (15, 15)),
    ("batch_size: 128", "batch_size{}: 128", (15, 13)),
    ("batch_size: 128", "batch_size: 128{}", (15, 18)),
    ("batch_size: 128", "batch_size: 1{}28", (15, 16)),
    ("  batch_size: 128", "{0}{0}batch_size: 128", (15, 1)),
    ("data:", "data:{}", (9, 6)),
    ("{kernel: 3", "{{kernel:{}3", (4, 17)),
    ("weight_decay: 1e-3\n", "weight_decay:{}1e-3\n", (19, 16)),
    ("weight_decay: 1e-3\n", "weight_decay:{}1e-3", (19, 16)),
    ("batch_size: 128", "batch_size:{}128\n\n  # of all", (15, 14)),
]


@pytest.fixture
def refused(tmp_path):
    """The lines of the error of a text, without the file's name."""

    def refused(text, overrides=()):
        file = tmp_path / "x.yaml"
        file.write_text(text, "utf-8", newline="")
        with pytest.raises(SpecError) as caught:
            load_spec(file, overrides)
        return str(caught.value).replace(str(file), "x.yaml").split("\n")

    return refused


@pytest.mark.parametrize("character", [*NO_BREAK, *ZERO_WIDTH, *"\u3000\u202e"])
@pytest.mark.parametrize(("old", "new", "place"), PLACES)
def test_one_that_hides_among_words_is_named_with_its_place_and_nothing_else(
    refused, old, new, place, character
):
    line, column = place

    [only] = refused(SPEC.replace(old, new.format(character), 1))

    name = unicodedata.name(character).lower()
    assert only.startswith(f"x.yaml:{line}:{column}: ")
    assert f"U+{ord(character):04X} ({name})" in only


@pytest.mark.parametrize("character", [*LINE, *"\u2029\x85\ufeff\r\x1b\x00"])
@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("batch_size: 128", "batch_size:{} 128", (15, 14)),
        ("name: small", "name: small  # comment{} name: other", (1, 23)),
        ("name: small", "name: 'small{}'", (1, 13)),
    ],
)
def test_one_that_ends_a_line_or_is_no_text_is_refused_everywhere(
    refused, old, new, place, character
):
    line, column = place

    [only] = refused(SPEC.replace(old, new.format(character), 1))

    assert only.startswith(f"x.yaml:{line}:{column}: not YAML: character U+")


def test_a_tab_inside_a_word_and_before_a_field_is_named(refused):
    for old, new, place in (
        ("  batch_size", "\tbatch_size", "15:1"),
        ("dataset: digits", "dataset: dig\tits", "10:15"),
    ):
        [only] = refused(SPEC.replace(old, new, 1))

        assert only.startswith(f"x.yaml:{place}: ")
        assert "a tab" in only


def test_an_override_is_read_as_the_file_is(refused):
    for character in (NO_BREAK, ZERO_WIDTH, LINE, "\ufeff"):
        text = f"training.iterations={character}70"

        [only] = refused(SPEC, [text])

        assert f"U+{ord(character):04X}" in only
        assert only.startswith("--set ")
        assert only.isprintable()


def test_several_are_named_at_once(refused):
    text = SPEC.replace(": 128", f": {NO_BREAK}128").replace(
        ": 60", f": {ZERO_WIDTH}60"
    )

    first, second = refused(text)

    assert first.startswith("x.yaml:15:15: ")
    assert second.startswith("x.yaml:16:15: ")


def test_comments_and_quoted_texts_may_hold_them(tmp_path):
    comment = SPEC.replace(
        "batch_size: 128", f"batch_size: 128  # 5{NO_BREAK}%"
    ).replace("name: small\n", "name: small\r\n")
    (tmp_path / "x.yaml").write_text(comment, "utf-8", newline="")
    shows = f"Five{NO_BREAK}% of it."
    study = f"name: s\nshows: '{shows}'\nruns: [{{spec: digits, seeds: [0]}}]\n"
    (tmp_path / "s.yaml").write_text(study, "utf-8")

    assert load_spec(tmp_path / "x.yaml").training.batch_size == 128
    assert load_study(tmp_path / "s.yaml").shows == shows
