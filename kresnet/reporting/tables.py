"""Tables for the terminal."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from kresnet.architecture import census
from kresnet.printable import printable
from kresnet.records.evaluation import (
    EnsembleEvaluation,
    Evaluation,
    Measured,
    Protocol,
)
from kresnet.records.metrics import read_metrics
from kresnet.records.run import read_recorded_run
from kresnet.reporting.groups import NOTHING, is_proxy, named
from kresnet.reporting.paper import beside_paper


def rows_table(rows: list[dict], title: str) -> Table:
    """Shows rows, at least one and of one shape, as a rich table.

    Numbers are shown with four significant digits.
    """
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(
            *(
                f"{value:.4g}" if isinstance(value, float) else str(value)
                for value in row.values()
            )
        )
    return table


def run_summary(folder: Path) -> Table:
    """What a finished run came to, as a rich table.

    The error of the last iteration is the result; the one at the best
    validation error is kept apart from it.
    """
    run = read_recorded_run(folder)
    record, counted = run.record, census(run.spec.model)
    last = {
        name: column[-1] for name, column in read_metrics(run.folder).items()
    }
    table = Table(
        title=named(f"{run.spec.name}, seed {run.seed}", is_proxy(run)),
        show_header=False,
    )
    table.add_row("layers", f"{counted.layers}")
    table.add_row("parameters", f"{counted.parameters:,}")
    table.add_row("multiply-adds", f"{counted.multiply_adds / 1e6:,.2f} M")
    table.add_row("iterations", f"{record.iteration:,}")
    if record.warm_up_ended_at:
        table.add_row("warm-up ended", f"{record.warm_up_ended_at:,}")
    table.add_row("training error", _percent(last["training_error"]))
    table.add_row("validation error", _percent(last["validation_error"]))
    table.add_row("test error", _bold(_percent(record.test_error)))
    table.add_row("test error in the paper", beside_paper(run.spec, record))
    if best := record.best_validation:
        table.add_row(
            "best by validation",
            f"iteration {best.iteration:,}: validation"
            f" {_percent(best.validation_error)}, test"
            f" {_percent(best.test_error)}",
        )
    speed = record.images_per_second
    cost = record.cpu_seconds_per_1000_images
    if speed and cost:
        table.add_row(
            "speed of training",
            f"{speed:,.0f} images/s, {cost:.2f} CPU-seconds per 1,000",
        )
    table.add_row("folder", Text(printable(run.folder), overflow="fold"))
    return table


def evaluation_table(found: Measured) -> Table:
    """Numbers of an evaluation and its protocol, as a rich table.

    Of an ensemble the errors of every member are there, too.
    """
    table = Table(show_header=False)
    members = found.members if isinstance(found, EnsembleEvaluation) else ()
    one = [found] if isinstance(found, Evaluation) else members
    for name, value in _protocol(one):
        table.add_row(name.replace("_", " "), value)
    if members:
        table.add_section()
        for each in members:
            table.add_row(
                Text(printable(each.title)),
                f"top-1 error {_percent(each.error)}, top-5 error"
                f" {_percent(each.top5_error)}",
            )
    table.add_section()
    table.add_row("loss", f"{found.loss:.4f}")
    table.add_row("top-1 error", _bold(_percent(found.error)))
    table.add_row("top-5 error", _percent(found.top5_error))
    table.add_section()
    for name, error in found.class_error.items():
        table.add_row(f"error on {printable(name)}", _percent(error))
    return table


# What `views` says in words.
_IN_WORDS = {"view", "shorter_sides", "mirrored"}


def _protocol(members: Sequence[Evaluation]) -> Iterator[tuple[str, str]]:
    """Each field of their protocols, and what stands there in all of them."""
    for name in Protocol.model_fields:
        values = [getattr(each.protocol, name) for each in members]
        if name in _IN_WORDS or values == [None] * len(values):
            continue
        words = [
            f"{value:,}" if isinstance(value, int) else str(value or NOTHING)
            for value in values
        ]
        yield name, "; ".join(words if len(set(words)) > 1 else words[:1])


def _bold(text: str) -> Text:
    return Text(text, style="bold")


def _percent(error: float | None) -> str:
    return "–" if error is None else f"{error:.2f} %"
