"""Strategies of Hypothesis for the files of specs, and for overrides."""

import copy
import json
import re

import yaml
from faults.hostile import CORPUS, ODD, TEXTS, Raw
from hypothesis import strategies as st

# PyYAML reads 1e-4 as a string: as good a start as any other.
VALUES = [yaml.safe_load(text) for text in TEXTS]

_leaves = (
    st.sampled_from(ODD).map(Raw)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
)
_odd = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


_stages = st.fixed_dictionaries(
    {
        "block": st.sampled_from(["plain", "basic"]),
        "blocks": st.integers(1, 20),
        "width": st.sampled_from([1, 8, 16, 32, 64, 100]),
        "stride": st.sampled_from([1, 2]),
    },
    optional={"shortcut": st.sampled_from("ABC")},
)
_transforms = st.sampled_from(
    [
        {"layer": "per_pixel_mean"},
        {"layer": "channel_mean"},
        {"layer": "channel_standardize"},
        {"layer": "rescale", "divide_by": 255},
        {"layer": "zca_whitening", "epsilon": 0.1},
        {"layer": "fancy_pca", "stddev": 0.1},
        {"layer": "random_crop", "padding": 4},
        {"layer": "random_flip"},
    ]
)
# Specs of one of the two data sets, with fields that are right by themselves.
_generated = st.fixed_dictionaries(
    {
        "name": st.from_regex(
            r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True
        ),
        "model": st.fixed_dictionaries(
            {
                "input": st.sampled_from([[32, 32, 3], [8, 8, 1]]),
                "stem": st.fixed_dictionaries(
                    {
                        "kernel": st.sampled_from([1, 3, 5, 7]),
                        "width": st.integers(1, 64),
                        "stride": st.sampled_from([1, 2]),
                    }
                ),
                "stages": st.lists(_stages, min_size=1, max_size=5),
                "classes": st.just(10),
                "batch_norm": st.fixed_dictionaries(
                    {
                        "images_per_statistic": st.sampled_from([None, 32, 64]),
                        "momentum": st.floats(0, 1, exclude_max=True),
                        "epsilon": st.just(1e-5),
                    }
                ),
            }
        ),
        "data": st.fixed_dictionaries(
            {
                "dataset": st.sampled_from(["cifar10", "digits"]),
                "validation": st.integers(0, 2_000),
                "transforms": st.lists(_transforms, max_size=3),
            }
        ),
        "training": st.fixed_dictionaries(
            {
                "batch_size": st.sampled_from([64, 128, 192]),
                "iterations": st.integers(1, 100_000),
                "learning_rate": st.fixed_dictionaries(
                    {
                        "start": st.floats(1e-6, 1),
                        "divide_by": st.just(10),
                        "at": st.lists(st.integers(1, 1_000), max_size=2),
                    }
                ),
                "momentum": st.floats(0, 0.999),
                "weight_decay": st.floats(0, 1),
            },
            optional={"evaluate_every": st.integers(1, 1_000)},
        ),
    }
)


@st.composite
def _changed_values(draw):
    """A shipped spec with some of its fields replaced, gone or doubled."""
    value = copy.deepcopy(draw(st.sampled_from(VALUES)))
    for _ in range(draw(st.integers(0, 4))):
        places = [*_places(value)]
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["replace", "remove", "number", "more"]))
        if how == "replace":
            holder[key] = draw(_odd)
        elif how == "number":
            holder[key] = draw(st.integers(-2, 200) | st.floats(0, 2))
        elif how == "remove":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            name = draw(st.sampled_from([f"{key}s", key[1:], "width", "layer"]))
            holder[name] = draw(_odd)
    return _as_text(value)


def _as_text(value):
    return "\n".join(
        f"{_written(key)}: {_written(part)}" for key, part in value.items()
    )


HOW = ["out", "twice", "in", "word", "cut", "tab"]


@st.composite
def _changed_texts(draw):
    """A shipped spec with some of its lines or characters changed."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        lines = text.split("\n")
        number = draw(st.integers(0, len(lines) - 1))
        at = draw(st.integers(0, len(text)))
        odd = draw(st.sampled_from(ODD))
        how = draw(st.sampled_from(HOW))
        if how == "out":
            del lines[number]
        elif how == "twice":
            lines.insert(number, lines[number])
        elif how == "tab":
            lines[number] = draw(st.sampled_from("\t \r-")) + lines[number]
        text = "\n".join(lines)
        if how == "in":
            text = text[:at] + odd + text[at:]
        elif how == "cut":
            text = text[:at]
        elif how == "word" and (words := [*re.finditer(r"[\w.]+", text)]):
            word = draw(st.sampled_from(words))
            text = text[: word.start()] + odd + text[word.end() :]
    return text


@st.composite
def _changed_bytes(draw):
    """The bytes of a shipped spec, some of them others."""
    content = bytearray(draw(st.sampled_from(TEXTS)).encode())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content) - 1))
        content[at] = draw(st.integers(0, 255))
    return bytes(content)


def _encoded(text):
    return text.encode("utf-8", "surrogatepass")


contents = (
    _generated.map(_as_text).map(_encoded)
    | _changed_values().map(_encoded)
    | _changed_texts().map(_encoded)
    | _changed_bytes()
    | st.sampled_from(CORPUS)
    | st.binary(max_size=200)
)
FIELDS = [
    *("name", "model.input", "model.stages", "model.stages[0].blocks"),
    *("expect", "model.stages[9].width", "training.learning_rate.at"),
    *("data.transforms", "training.warm_up.limit", "training", "a", ""),
    *(".", "[0]", "a..b", "a[b]", "model.stages[-1]", "a." * 300),
]
overrides = st.lists(
    st.builds("{}={}".format, st.sampled_from(FIELDS), st.sampled_from(ODD))
    | st.text(max_size=20),
    max_size=2,
)


def _places(value):
    """Every holder of a value, with the key or the number it has there."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        yield value, key
        if isinstance(part, dict | list):
            yield from _places(part)


def _written(value):
    """A value in YAML's flow style."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        parts = (f"{_written(k)}: {_written(v)}" for k, v in value.items())
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str) and re.fullmatch(r"\w[\w.-]*", value):
        return value
    return json.dumps(value)
