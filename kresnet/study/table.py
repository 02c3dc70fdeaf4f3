"""How far the runs of a study are."""

from collections.abc import Iterable
from fractions import Fraction

from rich.table import Table

from kresnet.printable import printable
from kresnet.study.file import Study
from kresnet.study.plan import PlannedRun


def study_table(
    study: Study, budget: Fraction, planned: Iterable[PlannedRun]
) -> Table:
    """A row for every run: status, iterations and test error.

    Args:
        study: What the runs belong to.
        budget: Share of the iterations; below 1 the table and every number
            in it say "proxy".
        planned: The runs.
    """
    title, mark = study.name, ""
    if budget < 1:
        title += f", a proxy at {float(budget):.3%} of the iterations"
        mark = " proxy"
    table = Table(title=title)
    for name in ("network", "seed", "status"):
        table.add_column(name)
    for name in ("iterations", "test error"):
        table.add_column(name, justify="right")
    for each in planned:
        info = each.info()
        error = info.get("test_error")
        table.add_row(
            each.run.label,
            str(each.seed),
            printable(info["status"]),
            f"{info['iteration']:,} of {each.spec.training.iterations:,}",
            f"{error:.2f} %{mark}" if error is not None else "",
        )
    return table
