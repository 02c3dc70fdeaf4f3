"""Tables for the terminal."""

from pathlib import Path

from rich.table import Table
from rich.text import Text

from kresnet.architecture import census
from kresnet.printable import printable
from kresnet.records.evaluation import Evaluation
from kresnet.records.run import read_recorded_run
from kresnet.reporting.groups import is_proxy, named
from kresnet.reporting.metrics import read_metrics
from kresnet.reporting.paper import beside_paper


def rows_table(rows: list[dict], title: str) -> Table:
    """Shows rows, dicts of one shape, as a rich table.

    Args:
        rows: At least one; numbers are shown with four significant digits.
        title: The title above the table.
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


def evaluation_table(evaluation: Evaluation) -> Table:
    """Numbers of an evaluation and its protocol, as a rich table."""
    table = Table(show_header=False)
    for name, value in evaluation.protocol.model_dump(
        exclude_none=True
    ).items():
        text = f"{value:,}" if isinstance(value, int) else value
        table.add_row(name.replace("_", " "), text)
    table.add_section()
    table.add_row("loss", f"{evaluation.loss:.4f}")
    table.add_row("top-1 error", _bold(_percent(evaluation.error)))
    table.add_row("top-5 error", _percent(evaluation.top5_error))
    table.add_section()
    for name, error in evaluation.class_error.items():
        table.add_row(f"error on {name}", _percent(error))
    return table


def _bold(text: str) -> Text:
    return Text(text, style="bold")


def _percent(error: float | None) -> str:
    return "–" if error is None else f"{error:.2f} %"
