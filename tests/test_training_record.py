"""What run.json says: speed, and what the bits depend on."""

import pytest
from kresnet.callbacks import Throughput

from kresnet.errors import SpecError
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.spec import load_spec
from kresnet.training.record import Record, speed


def test_a_speed_that_was_not_measured_does_not_replace_one_that_was():
    known = {"images_per_second": 600.0, "cpu_seconds_per_1000_images": 3.0}

    assert known | speed(Throughput(), 128) == known


def test_speed_is_images_over_seconds():
    throughput = Throughput()
    throughput.measured_iterations = 10
    throughput.seconds = 2.0
    throughput.cpu_seconds = 3.84

    assert speed(throughput, 128) == {
        "images_per_second": 640.0,
        "cpu_seconds_per_1000_images": 3.0,
    }


@pytest.mark.parametrize(
    ("before", "now", "changes"),
    [
        ({}, {}, []),
        ({}, {"processes": 2}, ["processes: 1 -> 2"]),
        ({"processes": 2}, {}, ["processes: 2 -> 1"]),
        ({}, {"device_ids": [1]}, ["device_ids: the first -> [1]"]),
        ({"device_ids": [0, 2]}, {}, ["device_ids: [0, 2] -> the first"]),
        ({"device_ids": [1]}, {"device_ids": [1]}, []),
    ],
)
def test_what_the_bits_depend_on_is_compared(tmp_path, before, now, changes):
    always = {"devices": "2 gpu"}
    spec = load_spec("digits")
    identity = Identity.of(spec, 0, "abc")
    with RunFolder(tmp_path) as folder:
        Record(folder, "a", identity, always | before).update("running", 1)

        record = Record(folder, "a", identity, always | now)

    assert record.changed_conditions == changes
    said = []
    if changes:
        with pytest.raises(SpecError, match="not be bit-identical"):
            record.compare_conditions(True, said.append)
    record.compare_conditions(False, said.append)
    assert len(said) == len(changes)
