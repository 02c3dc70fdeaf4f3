"""What `kresnet bench` measures, computes and refuses."""

import json
import math

import pytest
import small_network

from kresnet.benchmark import Benchmark, benchmark_values
from kresnet.benchmark.bench import Subject, tiny
from kresnet.benchmark.floor import bytes_moved, operations
from kresnet.benchmark.serving import CEILINGS, PARTS
from kresnet.cli import app, run
from kresnet.errors import (
    CannotWriteError,
    DeviceMissingError,
    InputMissingError,
    OutOfMemoryError,
)
from kresnet.spec import dump_spec, load_spec, shipped_specs

# A subject that answers at once; every iteration takes a known time.
REFERENCE = """
from kresnet.benchmark.serving import CEILINGS, PARTS, serve
def part(seconds):
    return lambda n: dict(
        iterations=n, seconds=seconds * n, cpu_seconds=2 * seconds * n
    )
def start():
    facts = dict(accelerated=False, product_operations=1, copy_bytes=1)
    times = {name: i for i, name in enumerate(PARTS, start=1)}
    parts = {name: part(times.get(name, 1)) for name in PARTS + CEILINGS}
    return {**parts, "facts": lambda _: facts}
serve(start)
"""


def took(seconds, iterations=2):
    return {
        "iterations": iterations,
        "seconds": seconds * iterations,
        "cpu_seconds": 2 * seconds * iterations,
    }


@pytest.fixture
def found():
    """Two subjects, three rounds; one iteration is 128 images."""
    whole = {"tensorflow": (3.0, 8.0, 4.0), "reference": (1.0, 2.0, 2.0)}
    times = {"transforms": 0.5, "forward": 0.75, "backward": 1.75}
    rounds = {
        name: {
            **{part: [took(times.get(part, 2.0))] * 3 for part in PARTS},
            **{part: [took(0.5), took(1.0)] for part in CEILINGS},
            "whole": [took(seconds) for seconds in seconds_of],
        }
        for name, seconds_of in whole.items()
    }
    facts = {"accelerated": False, "product_operations": 100, "copy_bytes": 10}
    return Benchmark(
        load_spec("resnet20"),
        "float32",
        dict.fromkeys(rounds, facts),
        rounds,
        (0.0, 0.0),
    )


def test_speeds_are_medians_per_1000_images(found):
    subject = benchmark_values(found)["subjects"]["tensorflow"]

    assert subject["seconds_per_1000_images"] == 4.0 / 0.128
    assert subject["cpu_seconds_per_1000_images"] == 8.0 / 0.128
    assert subject["images_per_second"] == 32


def test_ratios_are_taken_within_a_round(found):
    subjects = benchmark_values(found)["subjects"]

    ratio = subjects["tensorflow"]["ratio_to_reference"]["cpu_seconds"]
    assert ratio == {"median": 3.0, "least": 2.0, "most": 4.0}
    own = subjects["reference"]["ratio_to_reference"]["seconds"]
    assert own == {"median": 1.0, "least": 1.0, "most": 1.0}


def test_the_split_adds_up_to_the_whole(found):
    subject = benchmark_values(found)["subjects"]["tensorflow"]

    split = subject["split"]["seconds"]
    assert math.isclose(sum(split.values()), subject["seconds_per_1000_images"])
    assert split["forward"] == (0.75 - 0.5) / 0.128


def test_the_floor_is_taken_from_the_machine_at_its_best(found):
    values = benchmark_values(found)

    assert values["machine"]["seconds"] == {"operations": 200.0, "bytes": 20.0}
    floor = values["floor_per_1000_images"]["seconds"]
    assert math.isclose(floor["operations"], operations(found.spec) / 25.6)
    subject = values["subjects"]["tensorflow"]
    assert math.isclose(
        subject["of_floor"]["seconds"],
        subject["seconds_per_1000_images"] / max(floor.values()),
    )


def test_operations_are_six_per_multiply_add():
    """Of one image of ResNet-20, 40.55 million multiply-adds."""
    spec = load_spec("resnet20", ["training.batch_size=64"])

    assert round(operations(spec) / 64 / 6 / 1e6, 2) == 40.55


def test_bytes_of_resnet20_by_hand():
    """Seven convolutions of 16×32×32, six of 32×16×16, six of 64×8×8."""
    outputs = 7 * 16 * 32**2 + 6 * 32 * 16**2 + 6 * 64 * 8**2

    moved = bytes_moved(load_spec("resnet20"), 4)

    assert moved == 4 * (5 * 128 * outputs + 8 * 269_722)


@pytest.mark.parametrize("name", shipped_specs())
def test_a_tiny_spec_has_the_same_layers_and_groups(name):
    spec = load_spec(name)

    small = tiny(spec)

    assert [s.blocks for s in small.model.stages] == [
        s.blocks for s in spec.model.stages
    ]
    norm, groups = spec.model.batch_norm, 1
    if norm and norm.images_per_statistic:
        groups = spec.training.batch_size // norm.images_per_statistic
        assert small.model.batch_norm.images_per_statistic == 2
    assert small.training.batch_size == 2 * groups
    assert operations(small) < operations(spec) / 1_000


def test_a_spec_is_measured_beside_a_reference(tmp_path, capsys):
    """Every part is positive, and the split of the reference is known."""
    pytest.importorskip("jax")
    program = tmp_path / "reference.py"
    program.write_text(REFERENCE, "utf-8")
    out = tmp_path / "numbers.json"
    small = tmp_path / "small.yaml"
    small.write_text(dump_spec(load_spec("digits", small_network.OVERRIDES)))
    words = ["bench", str(small), "--backend", "tensorflow", "--backend", "jax"]
    words += ["--rounds", "2", "--iterations", "2"]
    words += ["--reference", str(program)]

    assert run(app, [*words, "--json", str(out)]) == 0

    said = capsys.readouterr()
    assert "tensorflow" in said.out
    (values,) = json.loads(out.read_text("utf-8"))
    for parts in values["rounds"].values():
        assert set(parts) == {*PARTS, *CEILINGS}
        for rounds in parts.values():
            assert len(rounds) == 2
            assert all(r["seconds"] > 0 for r in rounds)
    for name in ("tensorflow", "jax"):
        ours = values["rounds"][name]
        assert [r["iterations"] for r in ours["whole"]] == [2, 2]
        assert values["facts"][name]["versions"]["backend"] == name
    split = values["subjects"]["reference"]["split"]["seconds"]
    assert math.isclose(split["forward"], 1 / 0.128)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--backend", "torch"], 2, "must be tensorflow or jax"),
        (["--precision", "float16"], 2, "must be one of float32, bfloat16"),
        (["--reference", "nowhere"], 66, "nowhere does not exist"),
        (["--json", "nowhere/a.json"], 73, "nowhere/a.json"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words, code, text, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)

    assert run(app, ["bench", "digits", *words]) == code

    assert text in capsys.readouterr().err


def test_what_a_subject_cannot_do_is_said_with_its_exit_code(tmp_path):
    program = tmp_path / "without_data.py"
    program.write_text(
        "from kresnet.benchmark.serving import serve\n"
        "from kresnet.errors import InputMissingError\n"
        "def start(): raise InputMissingError('no data here')\n"
        "serve(start)\n"
    )

    with pytest.raises(InputMissingError, match=r"^x: no data here$"):
        Subject("x", [str(program)], {})


@pytest.mark.parametrize(
    "kind", [DeviceMissingError, OutOfMemoryError, CannotWriteError]
)
def test_errors_of_one_exit_code_are_told_apart(tmp_path, kind):
    program = tmp_path / "fails.py"
    program.write_text(
        "from kresnet import errors\n"
        "from kresnet.benchmark.serving import serve\n"
        f"def start(): raise errors.{kind.__name__}('this', 'and that')\n"
        "serve(start)\n"
    )

    with pytest.raises(kind, match=r"^x: this\nand that$"):
        Subject("x", [str(program)], {})


def test_numbers_that_are_there_survive_a_bench_that_cannot_begin(tmp_path):
    numbers = tmp_path / "[1]" / "speed.json"
    numbers.parent.mkdir()
    numbers.write_text("[1]")

    assert run(app, ["bench", "nowhere.yaml", "--json", str(numbers)]) == 66

    assert numbers.read_text() == "[1]"
    assert list(numbers.parent.iterdir()) == [numbers]
    folder = ["bench", "digits", "--json", str(tmp_path)]
    assert run(app, folder) == 73


def test_a_subject_that_ends_is_quoted(tmp_path):
    program = tmp_path / "broken.py"
    program.write_text("print(1 / 0)")

    with pytest.raises(
        RuntimeError, match=r"(?s)x ended with code 1.*division"
    ):
        Subject("x", [str(program)], {})
