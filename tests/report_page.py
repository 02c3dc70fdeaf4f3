"""What the tests of the report share: a strict reader, and made-up runs."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

from kresnet.evaluation import evaluate
from kresnet.reporting import write_report
from kresnet.spec import dump_spec, load_spec, recipe_digest

RESULT = Path(__file__).parent.parent / "results" / "resnet20-1500" / "seed0"


VOID = {"meta", "br"}


class Page(HTMLParser):
    """Holds a page to the rules of HTML and collects what it shows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.attributes = [], [], [], []
        self.tables, self.details = [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        raise AssertionError(f"<{tag}/> is no HTML")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1] += text

    def table(self, column):
        """The rows, as mappings, of the first table with this column."""
        for header, *rows in self.tables:
            if column in header:
                return [dict(zip(header, row, strict=True)) for row in rows]
        raise AssertionError(f"no table has a column {column}")


def make_run(folder, spec, seed=0, identity=(), **info):
    """A run folder as training leaves it, of numbers that a test chooses."""
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text(dump_spec(spec), "utf-8")
    content = json.loads((RESULT / "run.json").read_text("utf-8"))
    content |= {"iteration": spec.training.iterations, **info}
    own = {"recipe": recipe_digest(spec), "seed": seed}
    content["identity"] |= own | dict(identity)
    (folder / "run.json").write_text(json.dumps(content), "utf-8")
    shutil.copy(RESULT / "metrics.csv", folder)
    return folder


def make_evaluation(folder, **values):
    """What a file of `kresnet evaluate` holds, of the run in a folder."""
    run = json.loads((folder / "run.json").read_text("utf-8"))
    return {
        "identity": run["identity"],
        "protocol": {
            "data": "CIFAR-10",
            "split": "test",
            "images": 8,
            "views": "one",
            "batch_norm_statistics": "moving averages",
            "iteration": run["iteration"],
            "seed": run["identity"]["seed"],
        },
        "loss": 1.0,
        "error": 50.0,
        "top5_error": 0.0,
        "class_error": {},
        "confusion": [[3, 1], [1, 3]],
        "class_names": ["cat", "dog"],
        **values,
    }


def make_study(folder, digits_run):
    """Three seeds of resnet20, a diverged run, and a real run on digits."""
    spec = load_spec("resnet20")
    for seed, error in enumerate([8.5, 9.25, 8.75]):
        best = {
            "iteration": 60_000,
            "validation_error": error - 1,
            "test_error": error + 0.5,
        }
        make_run(
            folder / f"resnet20/seed{seed}",
            spec,
            seed,
            test_error=error,
            best_validation=best,
        )
    make_run(
        folder / "resnet20/seed9",
        spec,
        9,
        status="diverged",
        iteration=700,
        message="loss is not finite",
        test_error=None,
    )
    digits = shutil.copytree(digits_run, folder / "digits")
    evaluate(digits)
    (digits / "responses.csv").write_text(
        "iteration,layer,std\n30,conv1,9\n60,conv1,1.5\n60,conv2_1_1,0.5\n"
        "60,conv2_1_2,2.5\n"
    )
    return folder


def page_of(*paths, out):
    page, _ = write_report(paths, out)
    return Page(page.read_text("utf-8"))
