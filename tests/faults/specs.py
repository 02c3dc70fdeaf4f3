"""Generated, mutated and hostile specs: accepted, or refused line by line.

Imports nothing heavy: the memory of a process that runs it is that of reading
specs. `python tests/faults/specs.py FOLDER TIMES COMMANDS SEED` is what the
campaign starts.
"""

import copy
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kresnet.census import census
from kresnet.errors import SpecError
from kresnet.spec import dump_spec, load_spec
from kresnet.spec.shipped import SPECS

SECONDS, MEGABYTES = 1.0, 300
TEXTS = [SPECS.file(name).read_text("utf-8") for name in SPECS.names()]
# CSafeLoader reads 1e-4 as a string: as good a start as any other.
VALUES = [yaml.safe_load(text) for text in TEXTS]
_LINE = re.compile(r"(x\.yaml(:\d+:\d+)?|--set .*?): .+", re.DOTALL)


class Raw(str):
    """Put into the file as it stands, without quotes."""


# What stands in the place of a value.
ODD = [
    *("", "~", "null", "true", "no", "016", "0x10", "0o7", "1_000", "12:30"),
    *("1e-4", "1e400", "-0", "-1", "0", "1.0", ".5", ".nan", ".inf", "-.inf"),
    *("9" * 99, "9" * 101, "-" + "9" * 5_000, "1e99999", "0." + "1" * 300),
    *("[]", "{}", "[[]]", "[{}]", "{a: {}}", "? a", "- a", "|", ">-", "'", '"'),
    *("&a 1", "*a", "&a [*a]", "!!int 3", "!!set {a}", "!x 1", "!!python/none"),
    *("!!python/object/apply:os.system [ls]", "{<<: {a: 1}}", "<<", "%TAG"),
    *("plain", "basic", "A", "bottleneck", "random_crop", "cifar10", "../x"),
    *('"\\0"', '"\\e[31m"', '"\\ud800"', '"\\u202e"', "é", "\x85", "\u2028"),
    *("[" * 30, "{a: " * 30, "#", "@", "`", ",", ":", "---", "...", "\t"),
    *("2026-01-01", "=", "1e", "+1", "--1", "1e-", "\N{ROCKET}", "x" * 300),
]
# Whole files.
CORPUS = [
    *(b"", b"\n", b"#", b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"---", b"..."),
    *(b"\t", b"a:\n\tb: 1", b"null", b"[]", b"{}", b"- a", b"a", b"1", b"? "),
    b"a: &a [x, x]\n" + b"b: &b [*a, *a]\nc: [*b, *b]\n" * 500,
    b"a: &a {x: 1}\n" + b"b:\n  <<: [*a, *a, *a]\n" * 2_000,
    *(b"&a [*a]", b"&a {a: *a}", b"*a", b"<<: *a", b"{<<: [{}, {}]}"),
    *(b"[" * 65_000, b"{a: " * 16_000, b"- " * 32_000, b"? " * 32_000),
    *(b"a: 1\n" * 13_000, b"---\n" * 16_000, b":" * 65_000, b"!" * 65_000),
    *(b"x: " + b"9" * 65_000, b"? " + b"n" * 60_000 + b"\n: 1"),
    *(b'"' + b"\\x41" * 15_000 + b'"', b"'" * 65_000, b'"' * 65_000),
    *(b"%YAML 1.1\n---\na: 1", b"%TAG ! tag:x,2000:\n---\n!a b", b"%" * 99),
    *(b"!!python/object/apply:os.system ['true']", b"!!binary aGk="),
    *(b"a: |\n" + b" x\n" * 20_000, b"a: >9\n x", b"a: |0\n x"),
    *("name: größe".encode("latin-1"), "name: x".encode("utf-16")),
    *("name: x".encode("utf-32"), b"name: \xed\xa0\x80", b"\xc0\x80"),
    *(b"x" * 65_536, b"x" * 65_537, b"#" + b" " * 65_535, b"a" * 65_000 + b":"),
    b"{" + b", ".join(b"k%d: 1" % i for i in range(1_990)) + b"}",
    b"name: [" + b"1, " * 1_990 + b"]",
    TEXTS[0].replace("\n", "\r\n").encode(),
    TEXTS[0].replace("\n", "\r").encode(),
    TEXTS[0].replace("  ", "\t").encode(),
    (TEXTS[0] * 2).encode(),
    (TEXTS[0] + "---\n" + TEXTS[0]).encode(),
    b"\xef\xbb\xbf" + TEXTS[0].encode(),
]

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
        how = draw(
            st.sampled_from(["out", "twice", "in", "word", "cut", "tab"])
        )
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


def check(content, changes=()):
    """Reads a spec in the current folder.

    Returns:
        The lines of the message; none for a spec that is accepted.
    """
    with open("x.yaml", "wb") as file:
        file.write(content)
    try:
        spec = load_spec("x.yaml", changes)
        census(spec.model)  # as `kresnet check` does
    except SpecError as error:
        lines = str(error).split("\n")
        for line in lines:
            if not (_LINE.fullmatch(line) and line.isprintable()):
                raise AssertionError(f"no message: {line!r}") from error
            if len(line) > 600:
                raise AssertionError(f"long: {line!r}") from error
        if len(set(lines)) < len(lines):
            raise AssertionError(f"twice: {lines}") from error
        return lines
    with open("x.yaml", "w", encoding="utf-8") as file:
        file.write(dump_spec(spec))
    if load_spec("x.yaml") != spec:
        raise AssertionError("not the same when it is written and read again")
    return []


# Between us and the command, whose memory would else count as ours at least.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def check_command(content):
    """Reads a spec with `kresnet check`; the same must come out.

    Returns:
        CPU-seconds and megabytes that the command took.
    """
    want = check(content)
    with open("x.yaml", "wb") as file:
        file.write(content)
    command = [sys.executable, "-m", "kresnet", "check", "x.yaml"]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        capture_output=True,
        env={**os.environ, "PYTHONUTF8": "1"},
        check=True,
    )
    code, seconds, megabytes = map(float, done.stdout.split())
    said = done.stderr.decode()
    if code != (2 if want else 0):
        raise AssertionError(f"exit code {code}: {said}")
    if said != "".join(f"{line}\n" for line in want):
        raise AssertionError(f"{said!r} instead of {want}")
    return seconds, megabytes


@dataclasses.dataclass
class Specs:
    """What came of generated specs.

    Attributes:
        different: How many different ones were read.
        accepted: How many of them were.
        problems: Lines of the messages about the others.
        slowest: CPU-seconds of the slowest.
        samples: Some of them, evenly spread.
        wrong: Those that were neither accepted nor refused as they must.
    """

    different: int = 0
    accepted: int = 0
    problems: int = 0
    slowest: float = 0.0
    samples: list = dataclasses.field(default_factory=list)
    wrong: list = dataclasses.field(default_factory=list)


def read_many(folder, times, commands, number):
    """Reads the corpus and generated specs, so many in all.

    Args:
        folder: Where the file is written.
        times: How many, different ones.
        commands: How many of them to return as samples.
        number: Seed.

    Returns:
        What came of it, as `Specs`.
    """
    found, known = Specs(), set()

    def read(content, changes=()):
        key = hash((content, *changes))
        if key in known or len(known) >= times:
            return
        known.add(key)
        start = time.process_time()
        try:
            lines = check(content, changes)
        except Exception as error:  # whatever it is, it is told
            found.wrong.append((content, changes, error))
            return
        found.slowest = max(found.slowest, time.process_time() - start)
        if len(known) % max(1, times // commands) == 0:
            found.samples.append(content)
        found.accepted += not lines
        found.problems += len(lines)

    @seed(number)
    @settings(
        max_examples=2 * times,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(contents, st.just([]) | overrides)
    def generate(content, changes):
        read(content, changes)

    before = os.getcwd()
    os.chdir(folder)
    try:
        for content in CORPUS:
            read(content)
        generate()
    finally:
        os.chdir(before)
    if found.wrong:
        content, changes, error = min(found.wrong, key=lambda w: len(w[0]))
        raise AssertionError(
            f"{len(found.wrong)} specs; {content[-2_000:]!r}, {changes}"
        ) from error
    found.different = len(known)
    return found


def _main(folder, times, commands, number):
    found = read_many(folder, int(times), int(commands), int(number))
    # Linux's; what `getrusage` says includes the process we come from.
    status = Path("/proc/self/status").read_text("ascii")
    own = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    os.chdir(folder)
    used = [check_command(content) for content in found.samples]
    seconds, megabytes = map(max, zip(*used, strict=True))
    print(
        f"{found.different:,} specs: {found.accepted:,} accepted, the others "
        f"refused with {found.problems:,} problems; at most "
        f"{found.slowest:.2f} CPU-seconds, all in {own:.0f} MB"
    )
    print(
        f"{len(used)} of them as commands: at most {seconds:.2f} CPU-seconds "
        f"and {megabytes:.0f} MB"
    )
    if found.slowest > SECONDS or max(own, megabytes) > MEGABYTES:
        sys.exit(f"more than {SECONDS} s or {MEGABYTES} MB")


if __name__ == "__main__":
    _main(*sys.argv[1:])
