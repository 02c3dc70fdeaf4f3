"""The command `kresnet evaluate`."""

from typing import Annotated

import typer

from kresnet.commands.options import DataDir, RunName
from kresnet.quiet_backend import import_keras_quietly


def evaluate(
    run: RunName,
    split: Annotated[
        str, typer.Option(help="test, validation or train.")
    ] = "test",
    batch_norm: Annotated[
        str,
        typer.Option(
            help="Statistics: moving-averages, or re-estimated over the"
            " training split, as the paper's authors did."
        ),
    ] = "moving-averages",
    data_dir: DataDir = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Where to write. [default: the run's folder]"
        ),
    ] = None,
) -> None:
    """Measure a trained network and draw its confusion matrix."""
    import_keras_quietly()
    from pathlib import Path

    from rich.console import Console

    from kresnet.evaluation import evaluate, result_name
    from kresnet.reporting import draw_confusion, evaluation_table

    found = evaluate(run, split, batch_norm, data_dir, out)
    Console().print(evaluation_table(found))
    path = Path(out or run) / result_name(split, batch_norm)
    print(f"numbers: {path}.json")
    print(f"figure: {draw_confusion(found, path.with_suffix('.png'))}")
