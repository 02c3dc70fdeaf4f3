"""An instrument that kresnet does not ship is one class in a program."""

import csv

import keras
import numpy as np
import pytest

import kresnet
import kresnet.instruments
from kresnet.errors import SpecError
from kresnet.figures import Panel, stacked_panels
from kresnet.instruments import INSTRUMENTS, Gradients, Instrument, Table
from kresnet.reporting import write_report
from kresnet.run_options import RunOptions


class Logits(Instrument):
    """Measures the largest logit of the sample, and of each class."""

    name = "logits"
    title = "Largest logits"
    caption = "The largest logit of any image."
    tables = (
        Table("largest", "largest logit", ("logit",)),
        Table("by_class", "largest logit of a class", ("label", "logit")),
    )

    def measure(self, subject, plan):
        x = subject.images.astype("float32")
        for layer in subject.transforms[:1]:  # the mean; the other is random
            x = layer(x)
        logits = keras.ops.convert_to_numpy(subject.network(x)).max(axis=0)
        return {
            "largest": [{"logit": logits.max()}],
            "by_class": [
                {"label": label, "logit": logit}
                for label, logit in enumerate(logits)
            ],
        }

    def read(self, rows):
        return {int(row["iteration"]): float(row["logit"]) for row in rows}

    def summary(self, measured):
        return f"{measured.label}: {len(measured.values)} measurements."

    def figure(self, measured, title):
        lines = [(list(m.values), [*m.values.values()]) for m in measured]
        labels = [each.label for each in measured]
        return stacked_panels(
            [Panel("iteration", lines)], labels, "logit", title
        )


CHANGES = ("training.iterations=5", "training.learning_rate.at=[]")


def test_it_is_measured_in_training_and_shown_in_the_report(tmp_path):
    folder = kresnet.train(
        "digits",
        tmp_path / "run",
        overrides=CHANGES,
        response_images=20,
        instruments=[Logits(every=2)],
    )

    with (folder / "largest.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [row["iteration"] for row in found] == ["0", "2", "4", "5"]
    with (folder / "by_class.csv").open() as file:
        classes = [float(row["logit"]) for row in csv.DictReader(file)]
    largest = np.reshape(classes, (4, 10)).max(axis=1)
    np.testing.assert_array_equal(
        [float(row["logit"]) for row in found], largest
    )
    # The network measured has the weights of that iteration.
    again = kresnet.instruments.measure_run(Logits(), folder, images=20)
    assert again["largest"] == [
        {"iteration": 5, "logit": pytest.approx(largest[-1], rel=1e-4)}
    ]
    with pytest.raises(ValueError, match="gradients only while it trains"):
        kresnet.instruments.measure_run(Gradients(), folder)

    write_report([folder], tmp_path / "out", instruments=[Logits()])

    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<h2>Largest logits</h2><figure><svg" in page
    assert "4 measurements." in page
    assert list((tmp_path / "out").glob("figure*-logits-*.png"))


def test_what_cannot_measure_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"largest\.csv is written already"):
        kresnet.train("digits", tmp_path, instruments=[Logits(), Logits()])
    with pytest.raises(SpecError, match="must be a list of Instruments"):
        kresnet.train("digits", tmp_path, instruments=[Logits])
    with pytest.raises(ValueError, match=r"`every` must be .* every=0"):
        Logits(every=0)
    assert not list(tmp_path.iterdir())


def test_every_shipped_instrument_has_its_option():
    assert {f"{each.name}_every" for each in INSTRUMENTS} == {
        name for name in RunOptions.model_fields if name.endswith("s_every")
    }
