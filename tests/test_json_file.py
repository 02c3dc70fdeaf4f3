"""Files of JSON that may hold anything, and everything that reads them."""

import json
import os

import pytest
from report_page import RESULT, make_evaluation, make_run

from kresnet import sealed_folder
from kresnet.data import load_dataset
from kresnet.errors import BadDataError, CannotWriteError
from kresnet.files import LARGEST, read_json
from kresnet.records.evaluation import read_evaluation
from kresnet.records.folder import RunFolder
from kresnet.records.study import study_of
from kresnet.spec import load_spec
from kresnet.study import load_study
from kresnet.study.plan import refuse_other_folder

DAMAGE = {
    "open brackets": b"[" * 100_000,
    "open braces": b'{"a":' * 100_000,
    "brackets that close": b"[" * 100 + b"]" * 100,
    "5,000 digits": b'{"a": ' + b"7" * 5_000 + b"}",
    "no UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "half": b'{"a": [1, 2',
    "empty": b"",
    "NUL": b"\0" * 1_000,
}


@pytest.fixture(params=DAMAGE)
def damaged(request, tmp_path):
    """Makes a damaged file of a name, in a folder of its own."""

    def make(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DAMAGE[request.param])
        return path

    return make


def test_damaged_json_is_a_value_error(damaged):
    with pytest.raises(ValueError, match=r"[a-z]"):
        read_json(damaged("x.json"))


def test_a_damaged_manifest_is_damage(damaged):
    folder = damaged(sealed_folder.MANIFEST).parent

    with pytest.raises(sealed_folder.DamagedError, match="not a manifest"):
        sealed_folder.verify(folder)


def test_a_damaged_record_of_a_run_is_bad_data(damaged):
    with pytest.raises(BadDataError, match=r"run\.json: not JSON"):
        RunFolder(damaged("run.json").parent).read_record()


def test_a_damaged_evaluation_is_bad_data(damaged):
    with pytest.raises(BadDataError, match=r"evaluation-test\.json: not JSON"):
        read_evaluation(damaged("evaluation-test.json"))


@pytest.mark.parametrize(
    "change",
    [
        {"confusion": [[1, -1], [1, 1]]},
        {"confusion": [[0.5, 1], [1, 1]]},
        {"confusion": [[True, True], [True, True]]},
        {"confusion": [[0, 0], [0, 0]]},
        {"confusion": [[10**300, 1], [1, 1]]},
        {"confusion": [[1, 2]]},
        {"confusion": []},
        {"error": -5},
        {"error": 1e300},
        {"top5_error": float("nan")},
        {"protocol": []},
        {"protocol": {"split": "test", "iteration": 60}},
    ],
    ids=str,
)
def test_an_evaluation_has_counts_percentages_and_an_iteration(
    tmp_path, change
):
    run = make_run(tmp_path / "run", load_spec("resnet20"))
    content = make_evaluation(run)
    path = tmp_path / "evaluation-test.json"
    path.write_text(json.dumps(content))
    assert read_evaluation(path).confusion == ((3, 1), (1, 3))

    path.write_text(json.dumps(content | change))
    with pytest.raises(BadDataError, match=f"{path}: {next(iter(change))}"):
        read_evaluation(path)


def test_what_a_damaged_study_says_of_its_runs_is_unknown(damaged):
    folder = damaged("study.json").parent

    with pytest.raises(BadDataError, match=r"study\.json: not JSON"):
        study_of(folder / "net" / "seed0")


def test_a_folder_with_a_damaged_summary_is_no_study_s(damaged):
    folder = damaged("study.json").parent

    with pytest.raises(CannotWriteError, match=r"no study\.json of a study"):
        refuse_other_folder(folder, load_study("depth"))


def test_a_damaged_description_of_a_data_set_is_bad_data(damaged, monkeypatch):
    folder = damaged("cifar10/3.0.2/dataset_info.json").parents[2]

    with pytest.raises(BadDataError, match=r"dataset_info\.json"):
        load_dataset("cifar10", folder)


@pytest.mark.parametrize("length", ["1e999", "Infinity", "NaN", '"x"', "[]"])
def test_a_length_that_is_no_integer_is_bad_data(tmp_path, length):
    folder = tmp_path / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text(
        '{"fileFormat": "tfrecord", "splits": [{"name": "train",'
        f' "shardLengths": [{length}]}}]}}'
    )

    with pytest.raises(BadDataError, match=r"dataset_info\.json"):
        load_dataset("cifar10", tmp_path)


def test_a_file_larger_than_any_of_kresnet_s_is_not_read(tmp_path):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)

    with pytest.raises(ValueError, match="larger than 64 MiB"):
        read_json(path)


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")

    for name in ("pipe", "zeros"):
        with pytest.raises(ValueError, match="a pipe or a device"):
            read_json(tmp_path / name)


def test_a_pipe_in_a_sealed_folder_is_damage(tmp_path):
    folder = tmp_path / "sealed"
    with sealed_folder.create(folder, {}) as own:
        (own / "a").write_text("a")
    (folder / "a").unlink()
    os.mkfifo(folder / "a")

    with pytest.raises(sealed_folder.DamagedError, match="a pipe"):
        sealed_folder.verify(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"iteration": True}, "iteration: must be an integer, not a boolean"),
        ({"iteration": 1.5}, "iteration: must be an integer"),
        ({"status": "done"}, "status: must be running, stopped, diverged or"),
        ({"seconds": float("nan")}, "seconds: must be a number"),
        ({"cpu_seconds": float("inf")}, "cpu_seconds: must be a number"),
        ({"checkpoint": "60"}, "checkpoint: must be an integer or null"),
        ({"options": [1]}, "options: must be a mapping"),
        ({"versions": None}, "versions: must be a mapping of strings"),
        (
            {"identity": {"recipe": "x", "data": "y"}},
            "identity.seed: must be known",
        ),
        (
            {"identity": {"recipe": "x", "data": "y", "seed": None}},
            "identity.seed: must be known",
        ),
        (
            {"identity": {"recipe": "x", "seed": 0, "data": "y", "hue": 1}},
            "identity.hue: unknown field",
        ),
    ],
    ids=str,
)
def test_a_field_of_another_kind_is_named(tmp_path, change, said):
    info = json.loads((RESULT / "run.json").read_text())
    path = tmp_path / "run.json"
    path.write_text(json.dumps(info))
    record = RunFolder(tmp_path).read_record()
    assert record.model_dump(mode="json", exclude_none=True) == info

    path.write_text(json.dumps(info | change))
    with pytest.raises(BadDataError) as caught:
        RunFolder(tmp_path).read_record()
    assert f"{path}: {said}" in str(caught.value)


def test_a_confusion_matrix_has_a_row_and_a_column_for_each_class(tmp_path):
    path = tmp_path / "evaluation-test.json"
    good = make_evaluation(RESULT)
    path.write_text(json.dumps(good))
    assert read_evaluation(path).confusion == ((3, 1), (1, 3))

    for confusion in ([[3, 1]], [[3, 1], [1]], [], [[-1, 1], [1, 3]]):
        path.write_text(json.dumps(good | {"confusion": confusion}))
        with pytest.raises(BadDataError, match=r"json: confusion.*: must"):
            read_evaluation(path)
