"""Studies: read, scaled, run, interrupted, continued."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import small_network
from report_page import Page, make_run
from rich.console import Console
from safetensors.numpy import load_file, save_file

from kresnet import sealed_folder
from kresnet.cli import app
from kresnet.cli import run as run_command
from kresnet.documents import STUDIES
from kresnet.errors import CannotWriteError, InputMissingError, SpecError
from kresnet.evaluation import evaluate
from kresnet.importing import import_weights
from kresnet.reporting import write_report
from kresnet.spec import dump_spec, load_spec
from kresnet.study import load_study, parse_budget, run_study, study_table
from kresnet.study.engines.local import command
from kresnet.study.plan import plan, read_records, scaled
from kresnet.trained import open_trained

SMALL = "".join(f'\n      - "{each}"' for each in small_network.OVERRIDES)
TWO = f"""
name: two
shows: that runs follow each other
runs:
  - name: explodes
    spec: digits
    seeds: [0]
    set:{SMALL}
      - "training.learning_rate={{start: 100, divide_by: 10, at: []}}"
      - training.weight_decay=1
      - training.iterations=300
  - name: learns
    spec: digits
    seeds: [3]
    gradients_every: 50
    precision: bfloat16
    set:{SMALL}
      - training.iterations=150
      - training.learning_rate.at=[100]
"""


@pytest.mark.parametrize("name", STUDIES.names())
def test_the_runs_of_every_shipped_study_can_be_planned(name, tmp_path):
    """In full, and as a proxy of a fifth."""
    study = load_study(name)
    assert study.name == name

    whole = plan(study, Fraction(1), tmp_path)
    part = plan(study, Fraction(1, 5), tmp_path)

    assert len(whole) == len(part) == sum(len(r.seeds) for r in study.runs)
    assert len({each.folder for each in whole}) == len(whole)


def test_the_depth_study_is_the_paper_s_table():
    """Five runs of each but plain-110, as the authors had of ResNet-110."""
    runs = {run.spec: len(run.seeds) for run in load_study("depth").runs}

    assert runs == {
        **{f"{k}{n}": 5 for k in ("plain", "resnet") for n in (20, 32, 44, 56)},
        "resnet110": 5,
        "plain110": 1,
    }


def test_a_budget_scales_iterations_drops_and_the_limit_of_a_warm_up():
    spec = load_spec("resnet110")

    part = scaled(spec, Fraction(5, 100)).training

    assert part.iterations == 3_200
    assert part.learning_rate.at == (1_600, 2_400)
    assert part.warm_up.limit == round(spec.training.warm_up.limit / 20)
    assert scaled(spec, Fraction(1)) == spec


def test_a_budget_that_leaves_nothing_is_refused():
    with pytest.raises(SpecError, match="leaves resnet20 no iteration"):
        scaled(load_spec("resnet20"), Fraction(1, 10**6))
    with pytest.raises(SpecError, match="fewer than the 50 batches"):
        scaled(load_spec("resnet110"), Fraction(1, 10**4))


@pytest.mark.parametrize(
    ("text", "budget"),
    [("5%", Fraction(1, 20)), ("0.05", Fraction(1, 20)), ("100%", Fraction(1))],
)
def test_a_budget_is_a_share(text, budget):
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    "text", ["0", "-5%", "101%", "2", "five", "1/0", "nan"]
)
def test_another_budget_is_refused(text):
    with pytest.raises(SpecError, match="--budget: must be a share"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "x.yaml:1:1: expected a mapping"),
        ("name: x\nruns: []", "x.yaml:1:1: shows: missing; must be a text"),
        (
            "name: x\nshows: y\nruns:\n  - {spec: digits, seeds: [1, 1]}",
            "x.yaml:4:27: runs[0].seeds: must not repeat a seed",
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: digits, seeds: [1]}\n  - {spec: digits, seeds: [2]}",
            "x.yaml:5:12: runs[1].spec: must differ from that of runs[0]",
        ),
        (
            "name: x\nshows: y\nruns:\n  - {spec: digits, seed: [1]}",
            "x.yaml:4:20: runs[0].seed: unknown field; did you mean seeds?",
        ),
        (
            "name: x\nshows: y\nruns:\n  - {spec: ../digits, seeds: [1]}",
            "x.yaml:4:12: runs[0].spec: must be the name of a shipped spec, or"
            " of a .yaml file in the study's folder or below it. Received:"
            " ../digits",
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: plain32, deepen: plain20, seeds: [1]}\n"
            "  - {spec: plain20, seeds: [1]}",
            "x.yaml:4:29: runs[0].deepen: must be the name of an earlier run"
            " of this study. Received: plain20",
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: plain20, seeds: [1]}\n"
            "  - {spec: plain32, deepen: plain20, seeds: [1, 2]}",
            "x.yaml:5:45: runs[1].seeds: must be seeds of runs[0], which it is"
            " deepened from: that has no 2",
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: plain20, seeds: [1]}\n"
            "  - {spec: plain32, begin_with: plain20, seeds: [1, 2]}",
            "x.yaml:5:49: runs[1].seeds: must be seeds of runs[0], which it"
            " begins with: that has no 2",
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: plain32, begin_with: plain20, seeds: [1]}\n"
            "  - {spec: plain20, seeds: [1]}",
            "x.yaml:4:33: runs[0].begin_with: must be the name of an earlier"
            " run of this study, or the folder of an import in the study's"
            " folder or below it. Received: plain20",
        ),
        *(
            (
                "name: x\nshows: y\nruns:\n"
                f"  - {{spec: plain32, begin_with: {path}, seeds: [1]}}",
                "x.yaml:4:33: runs[0].begin_with: must be the name of an"
                " earlier run of this study, or the folder of an import in the"
                " study's folder or below it",
            )
            for path in ("../weights", "/weights", "a/../../b", "a/", ".")
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: plain20, keep_transforms: true, seeds: [1]}",
            "x.yaml:4:38: runs[0].keep_transforms: must be left out: the run"
            " has no begin_with. Received: true",
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: plain20, seeds: [1]}\n"
            "  - {spec: plain32, deepen: plain20, begin_with: plain20,"
            " seeds: [1]}",
            "runs[1].begin_with: must be left out: the run is deepened from"
            " another. Received: plain20",
        ),
    ],
)
def test_mistakes_are_said_with_their_place(
    tmp_path, monkeypatch, text, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(text)

    with pytest.raises(SpecError) as caught:
        load_study("x.yaml")

    assert message in str(caught.value)


@pytest.mark.parametrize("file", ["mine.yaml", "more/mine.yaml"])
def test_a_study_finds_specs_beside_its_own_file(tmp_path, monkeypatch, file):
    """Wherever it is called from, and whatever lies there."""
    folder = tmp_path / "studies"
    (folder / file).parent.mkdir(parents=True)
    (folder / file).write_text(dump_spec(load_spec("digits", ["name=other"])))
    (folder / "x.yaml").write_text(
        f"name: x\nshows: y\nruns:\n  - {{spec: {file}, seeds: [1],"
        " set: [training.iterations=900]}"
    )
    (tmp_path / "mine.yaml").write_text("no spec")
    monkeypatch.chdir(tmp_path)

    (run,) = plan(load_study("studies/x.yaml"), Fraction(1), tmp_path / "out")

    assert run.spec.training.iterations == 900
    assert run.spec.name == "mine"  # as its folder
    assert run.folder == tmp_path / "out" / "mine" / "seed1"


@pytest.mark.parametrize(
    "file", ["../x.yaml", "/x.yaml", "a/../x.yaml", "a//x.yaml", "a/digits"]
)
def test_a_study_names_no_file_elsewhere(tmp_path, file):
    (tmp_path / "x.yaml").write_text(
        f"name: x\nshows: y\nruns:\n  - {{spec: {file}, seeds: [1]}}"
    )

    with pytest.raises(SpecError, match=r"in the study's folder or below it"):
        load_study(tmp_path / "x.yaml")


def test_a_net_that_is_not_another_one_deepened_cannot_be_planned(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "name: x\nshows: y\nruns:\n"
        "  - {spec: plain32, seeds: [1]}\n"
        "  - {name: a, spec: plain20, deepen: plain32, seeds: [1]}"
    )

    with pytest.raises(SpecError, match=r"a: deepen: is not plain32 with"):
        plan(load_study(tmp_path / "x.yaml"), Fraction(1), tmp_path)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("spec: plain32", r"conv2_3_conv1: is not there|: has other arrays"),
        (
            "spec: plain20, keep_transforms: true,"
            " set: ['data.transforms=[{layer: channel_mean}]']",
            "keep_transforms: those that have statistics must be the same",
        ),
    ],
)
def test_a_net_that_another_cannot_begin_with_cannot_be_planned(
    tmp_path, more, said
):
    """It would be found when the other is trained."""
    (tmp_path / "x.yaml").write_text(
        "name: x\nshows: y\nruns:\n"
        "  - {name: short, spec: plain20, seeds: [1]}\n"
        f"  - {{name: on, {more}, begin_with: short, seeds: [1]}}"
    )

    with pytest.raises(SpecError) as refused:
        plan(load_study(tmp_path / "x.yaml"), Fraction(1), tmp_path)

    first, *lines = str(refused.value).splitlines()
    assert first == "on: begin_with: cannot begin with short:"
    assert re.search(said, lines[0])


def test_a_classifier_of_another_size_can_be_planned(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "name: x\nshows: y\nruns:\n"
        "  - {name: ten, spec: plain20, seeds: [1]}\n"
        "  - {name: hundred, spec: plain20, begin_with: ten, seeds: [1],\n"
        "     set: [data.dataset=cifar100, model.classes=100]}"
    )

    study = load_study(tmp_path / "x.yaml")

    assert len(plan(study, Fraction(1), tmp_path)) == 2


def test_a_deepened_run_begins_with_the_run_of_its_seed(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "name: x\nshows: y\nruns:\n"
        "  - {name: short, spec: plain20, seeds: [1, 2]}\n"
        "  - {spec: plain32, deepen: short, seeds: [2]}\n"
        "  - {spec: plain20, begin_with: short, seeds: [1]}"
    )

    *sources, deep, on = plan(
        load_study(tmp_path / "x.yaml"), Fraction(1), tmp_path
    )

    assert [each.source for each in sources] == [None, None]
    assert deep.source == sources[1].folder == tmp_path / "short" / "seed2"
    assert f"--deepen={deep.source}" in command(deep)
    assert not any("--deepen" in part for part in command(sources[0]))
    assert f"--begin-with={sources[0].folder}" in command(on)


def test_a_run_evaluated_more_often_is_the_study_s_another_rate_is_not(
    tmp_path,
):
    def made_with(**changes):
        out = tmp_path / str(changes)
        first, *_ = plan(load_study("colour"), Fraction(1), out)
        training = first.spec.training.model_copy(update=changes)
        spec = first.spec.model_copy(update={"training": training})
        make_run(first.folder, spec, first.seed)
        return read_records([first])[0]

    assert made_with(evaluate_every=100).status == "finished"
    with pytest.raises(SpecError, match="a run of another experiment"):
        made_with(momentum=0.8)


def test_the_runs_of_a_study_are_on_the_same_data_in_float32(tmp_path):
    both = plan(load_study("colour"), Fraction(1), tmp_path)[:2]
    for each in both:
        make_run(each.folder, each.spec, each.seed)
    assert [record.status for record in read_records(both)] == ["finished"] * 2

    for other, said in (
        ({"data": "other"}, "data: other -> "),
        ({"precision": "bfloat16"}, "precision: bfloat16 -> float32"),
        ({"precision": "float64"}, "precision: float64 -> float32"),
    ):
        second = both[1]
        shutil.rmtree(second.folder)
        make_run(second.folder, second.spec, second.seed, other)
        with pytest.raises(SpecError, match="another experiment") as caught:
            read_records(both)
        assert f"  {said}" in str(caught.value)


def test_a_run_of_a_study_began_with_the_run_that_the_study_names(tmp_path):
    """Not with that of another recipe, data or weights."""
    (tmp_path / "x.yaml").write_text(
        "name: x\nshows: y\nruns:\n"
        "  - {name: short, spec: plain20, seeds: [0]}\n"
        "  - {spec: plain32, deepen: short, seeds: [0]}"
    )
    both = plan(load_study(tmp_path / "x.yaml"), Fraction(1), tmp_path)
    short, deep = both
    make_run(short.folder, short.spec)
    own = json.loads((short.folder / "run.json").read_text())["identity"]
    last = short.folder / "checkpoints" / "00064000"
    last.parent.mkdir()
    with sealed_folder.create(last, {}) as folder:
        (folder / "weights.safetensors").write_bytes(b"weights")
    weights = hashlib.sha256(b"weights").hexdigest()
    began = {"source": own, "weights": weights}

    for beginning, said in (
        (began, ""),
        (began | {"weights": "f" * 64}, "weights ffffffffffff… -> weights"),
        (None, "none -> weights"),
    ):
        make_run(deep.folder, deep.spec, 0, {"beginning": beginning})
        if said:
            with pytest.raises(SpecError, match=re.escape(said)):
                read_records(both)
        else:
            read_records(both)
        shutil.rmtree(deep.folder)

    shutil.rmtree(last)  # then what it was is compared
    for change in ({}, {"recipe": "other"}, {"precision": "bfloat16"}):
        beginning = began | {"source": own | change}
        make_run(deep.folder, deep.spec, 0, {"beginning": beginning})
        if change:
            with pytest.raises(
                SpecError, match=r"with \(--deepen, --begin-with\): "
            ):
                read_records(both)
        else:
            read_records(both)
        shutil.rmtree(deep.folder)


def test_the_table_says_how_far_every_run_is_and_what_is_a_proxy_s(tmp_path):
    study = load_study("colour")
    first, *rest = plan(study, Fraction(1, 4), tmp_path)
    make_run(first.folder, first.spec, first.seed, test_error=9.5)

    lines = shown(study_table(study, Fraction(1, 4), [first, *rest]))

    assert "colour, a proxy at 25.000% of the iterations" in lines[0]
    rows = [re.split(r"\s*│\s*", line)[1:-1] for line in lines if "│" in line]
    assert rows[0] == [
        *(first.run.label, f"{first.seed}", "finished"),
        *("16,000 of 16,000", "9.50 % proxy"),
    ]
    assert [row[2:] for row in rows[1:]] == [
        ["not run", "0 of 16,000", ""] for _ in rest
    ]
    whole = study_table(study, Fraction(1), [first])
    assert "proxy" not in "".join(shown(whole))


def shown(table):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


def test_only_the_named_networks_run(tmp_path):
    given = []

    def engine(planned, data_dir, changed):
        given.extend((each.run.label, each.seed) for each in planned)
        yield from ()

    run_study(
        load_study("depth"),
        tmp_path,
        engine=engine,
        only=("plain20", "plain110"),
    )

    expected = [("plain20", seed) for seed in range(5)] + [("plain110", 0)]
    assert given == expected


def test_a_name_that_no_network_has_is_refused_before_anything_is_written(
    tmp_path,
):
    with pytest.raises(SpecError, match=r"Allowed: plain20.*Received: plain21"):
        run_study(
            load_study("degradation"),
            tmp_path / "out",
            engine=no_engine,
            only=("plain20", "plain21"),
        )
    assert not (tmp_path / "out").exists()


def test_a_net_to_be_deepened_comes_first(tmp_path):
    with pytest.raises(SpecError, match="add --only plain20"):
        run_study(
            load_study("constructed"),
            tmp_path / "out",
            engine=no_engine,
            only=("plain32-full-rate",),
        )
    assert not (tmp_path / "out").exists()


def test_an_unknown_study_is_missing_and_the_nearest_named():
    with pytest.raises(InputMissingError, match="did you mean degradation"):
        load_study("degradatoin")


def no_engine(planned, data_dir, changed):
    """Runs nothing."""
    yield from ()


def test_a_study_of_long_runs_is_shown_every_ten_minutes(tmp_path, monkeypatch):
    (tmp_path / "two.yaml").write_text(TWO)
    now, shown = [5.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def engine(planned, data_dir, changed):
        for now[0] in range(10, 2_000, 10):
            changed()
        yield from ()

    run_study(
        load_study(tmp_path / "two.yaml"),
        tmp_path / "out",
        show=lambda _: shown.append(now[0]),
        engine=engine,
    )

    assert shown == [10, 610, 1_210, 1_810]


@pytest.mark.parametrize(
    "there",
    [
        {"notes.txt": "mine"},
        {"study.json": "[1]"},
        {"study.json": "{", "notes.txt": ""},
        {"study.json": '{"name": "two"}'},
        {"specs/digits.yaml": "mine"},
    ],
    ids=str,
)
def test_a_folder_that_is_no_study_s_is_refused_and_left_as_it_is(
    tmp_path, there
):
    for name, text in there.items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(text)
    (tmp_path / "two.yaml").write_text(TWO)

    with pytest.raises(CannotWriteError, match=r"no study\.json of a study"):
        run_study(
            load_study(tmp_path / "two.yaml"),
            tmp_path / "out",
            engine=no_engine,
        )

    files = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert files == there


def test_a_folder_of_another_study_is_left_as_it_is(tmp_path):
    (tmp_path / "two.yaml").write_text(TWO)
    (tmp_path / "three.yaml").write_text(TWO.replace("two", "three", 1))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".hidden").write_text("mine")
    two, three = (
        load_study(tmp_path / f"{name}.yaml") for name in ("two", "three")
    )
    for _ in range(2):  # its own folder is taken again
        run_study(two, tmp_path / "out", engine=no_engine)
    before = (tmp_path / "out" / "study.json").read_bytes()

    with pytest.raises(SpecError, match="holds the study two"):
        run_study(three, tmp_path / "out", engine=no_engine)

    assert (tmp_path / "out" / "study.json").read_bytes() == before


@pytest.mark.parametrize("command", ["study", "report"])
def test_an_empty_name_is_no_folder(command, capsys):
    assert run_command(app, [command, "degradation", "--out="]) == 2
    assert '--out: must name a folder. Received: ""' in capsys.readouterr().err


def start(folder, *more, stderr=subprocess.PIPE):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "kresnet", "study"),
            *(str(folder / "two.yaml"), f"--out={folder / 'out'}", *more),
        ],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def children(process):
    """Ids of the processes it started; none where there is no /proc."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return map(int, path.read_text().split()) if path.exists() else []


def info(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.mark.slow
def test_a_study_goes_on_after_a_divergence_and_an_interruption(tmp_path):
    (tmp_path / "two.yaml").write_text(TWO)
    out = tmp_path / "out"
    learns = out / "learns" / "seed3"

    first = start(tmp_path)
    while not (learns / "losses.csv").exists():
        if (learns / "gradients.csv").exists():
            break
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    # And once more, from the study that passes it on.
    for child in children(first):
        os.kill(child, signal.SIGTERM)
    _, err = first.communicate()
    assert first.returncode == 75, err
    assert info(out / "explodes" / "seed0")["status"] == "diverged"
    assert info(learns)["status"] == "stopped"
    diverged = (out / "explodes" / "seed0" / "run.json").read_bytes()

    second = start(tmp_path)
    said, err = second.communicate()

    assert second.returncode == 0, err
    assert "continuing at iteration" in err
    assert info(learns)["status"] == "finished"
    assert info(learns)["identity"]["precision"] == "bfloat16"
    assert (out / "explodes" / "seed0" / "run.json").read_bytes() == diverged
    assert (out / "report" / "index.html").exists()
    assert "report: " in said
    summary = json.loads((out / "study.json").read_text())
    assert summary["budget"] == 1

    # Another study of that name is refused before anything runs.
    (tmp_path / "two.yaml").write_text(TWO.replace("[100]", "[10]"))
    other = start(tmp_path)
    _, err = other.communicate()
    assert other.returncode == 2
    assert "holds a run of another experiment" in err


PLAIN = (
    "[{block: plain, blocks: BLOCKS, width: 16, stride: 1},"
    " {block: plain, blocks: 1, width: 32, stride: 2}]"
)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_study_nobody_hears_trains_a_net_and_then_the_net_deepened(tmp_path):
    """Standard error is on a full disk: what is said is lost, and no more."""
    shallow, deep = (PLAIN.replace("BLOCKS", n) for n in "13")
    (tmp_path / "two.yaml").write_text(
        "name: two\nshows: that a deepened run follows its source\nruns:\n"
        f"  - {{name: shallow, spec: digits, seeds: [0], gradients_every: 5,"
        f' set: [training.iterations=40, "training.learning_rate.at=[]",'
        f' "model.stages={shallow}"]}}\n'
        f"  - {{name: deep, deepen: shallow, spec: digits, seeds: [0],"
        f' set: [training.iterations=10, "training.learning_rate.at=[]",'
        f' "model.stages={deep}"]}}\n'
        f"  - {{name: on, begin_with: shallow, spec: digits, seeds: [0],"
        f' set: [training.iterations=10, "training.learning_rate.at=[]",'
        f' "training.trained=[fc]", "model.stages={shallow}"]}}\n'
    )

    with open("/dev/full", "w") as full:
        study = start(tmp_path, "--budget=50%", stderr=full)
    said, _ = study.communicate()

    assert study.returncode == 0
    assert "report: " in said
    found = info(tmp_path / "out" / "deep" / "seed0")["deepened"]
    source = info(tmp_path / "out" / "shallow" / "seed0")
    assert found["test_error"] == source["test_error"]
    assert info(tmp_path / "out/on/seed0")["begun_with"]["name"] == "shallow"
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "<h2>Deepened networks</h2>" in page
    _every_number_is_a_proxy_s(tmp_path)
    again = start(tmp_path, "--budget=50%")  # all runs are what is meant
    again.communicate()
    assert again.returncode == 0


@pytest.mark.slow
def test_a_study_begins_with_an_import_in_its_folder(digits_run, tmp_path):
    """And keeps its mean image; with other weights it is another study."""
    file = tmp_path / "two.yaml"
    file.write_text(
        "name: two\nshows: what an import is worth\nruns:\n"
        "  - {spec: digits, begin_with: weights/digits, keep_transforms: true,"
        " seeds: [0], set: [training.iterations=5, data.validation=500,"
        ' "training.learning_rate.at=[]"]}\n'
    )
    with pytest.raises(SpecError, match="or the folder of an import"):
        load_study(file)
    weights = max((digits_run / "checkpoints").iterdir())
    weights /= "weights.safetensors"
    folder = tmp_path / "weights" / "digits"
    import_weights([weights], "digits", folder)

    for _ in range(2):  # the second time all is there
        _, err = (study := start(tmp_path)).communicate()
        assert study.returncode == 0, err

    run = tmp_path / "out" / "digits" / "seed0"
    begun = info(run)["begun_with"]
    assert begun["folder"] == str(folder)
    assert begun["kept_transforms"]
    mean = "per_pixel_mean/mean"
    np.testing.assert_array_equal(
        open_trained(run).weights[mean], open_trained(digits_run).weights[mean]
    )
    shutil.rmtree(folder)
    arrays = load_file(weights)
    arrays["fc/bias"] += 1
    save_file(arrays, tmp_path / "other.safetensors")
    import_weights([tmp_path / "other.safetensors"], "digits", folder)
    _, err = (study := start(tmp_path)).communicate()
    assert study.returncode == 2
    assert "holds a run of another experiment" in err
    assert "begins with (--deepen, --begin-with): weights" in err


def _every_number_is_a_proxy_s(folder):
    """Also in a report on the folder that the study is in.

    No shipped spec has the names of the networks, which cannot tell it.
    """
    evaluate(folder / "out" / "deep" / "seed0")
    page, _ = write_report([folder], folder / "page")
    text = page.read_text("utf-8")
    shown = Page(text)

    columns = {
        "n": ("test, last iteration", "test, best by validation"),
        "made of": ("its test error", "last iteration: test"),
        "top-1 error": ("top-1 error", "top-5 error"),
        "test error (%)": ("test error (%)",),
    }
    for first, names in columns.items():
        for row in shown.table(first):
            for name in names:
                assert row[name].endswith(" proxy"), (first, name)
    captions = re.findall("<figcaption>(.*?)</figcaption>", text, re.S)
    assert len(captions) > 3
    assert all("A proxy was trained for a part" in each for each in captions)
    legends = re.findall(r"<text[^>]*>(shallow|deep)([^<]*)</text>", text)
    assert legends
    assert all(rest.startswith(", proxy") for _, rest in legends)
    assert "50 % of the iterations" in text
