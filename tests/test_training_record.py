"""The figures of run.json."""

from kresnet.callbacks import Throughput

from kresnet.training.record import speed


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
