"""Commands that measure a trained network: evaluate, responses."""

from typing import Annotated

import typer

from kresnet.commands.arguments import (
    CheckpointOfRun,
    DataDir,
    RunName,
    RunOrExport,
)
from kresnet.errors import CannotWriteError, DiskFullError
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import notify, say, standard_output


def evaluate(
    run_or_export: RunOrExport,
    split: Annotated[
        str, typer.Option(help="test, validation or train.")
    ] = "test",
    batch_norm: Annotated[
        str,
        typer.Option(
            help="Statistics: moving-averages, or re-estimated over the"
            " augmented training split, after training, as the paper's"
            " authors did (of a run only)."
        ),
    ] = "moving-averages",
    data_dir: DataDir = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Where to write. [default: the run's folder; for an export"
            " nowhere]",
        ),
    ] = None,
    checkpoint: CheckpointOfRun = None,
) -> None:
    """Measure a trained network and draw its confusion matrix."""
    import_keras_quietly()
    from kresnet.evaluation import measure, result_path
    from kresnet.records.evaluation import write_evaluation
    from kresnet.reporting import draw_confusion, evaluation_table
    from kresnet.trained import open_trained

    notify(f"evaluating {run_or_export}: {split}")
    network = open_trained(run_or_export, checkpoint)
    path = result_path(network, split, batch_norm, out)
    found = measure(network, split, batch_norm, data_dir)
    try:
        if path:
            write_evaluation(path, found)
    except (CannotWriteError, DiskFullError) as error:
        raise type(error)(f"{error}; name another folder with --out") from error
    finally:  # what took time is shown, also where it cannot be written
        standard_output().print(evaluation_table(found))
    if path is None:
        say("not written: an export is sealed; name a folder with --out")
        return
    say(f"numbers: {path}")
    say(f"figure: {draw_confusion(found, path.with_suffix('.png'))}")


def responses(
    run: RunName,
    images: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Training images to measure on, not augmented; 0 for all.",
        ),
    ] = 1_000,
    initial: Annotated[
        bool, typer.Option("--initial", help="Measure the initial weights.")
    ] = False,
    data_dir: DataDir = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Also write the responses here, as CSV; a report reads"
            " RUN/responses.csv.",
        ),
    ] = None,
    checkpoint: CheckpointOfRun = None,
) -> None:
    """Measure the layer responses of a trained network (figure 7)."""
    import_keras_quietly()
    from pathlib import Path

    from kresnet.files import check_file
    from kresnet.instruments import Responses, measure_run, write_rows
    from kresnet.reporting import rows_table

    if out:
        check_file(Path(out))
    notify(f"measuring responses of {run}")
    instrument = Responses()
    found = measure_run(instrument, run, images, initial, data_dir, checkpoint)
    try:
        if out:
            write_rows(found[instrument.tables[0].name], out)
    finally:  # what took time is shown, also where it cannot be written
        for table in instrument.tables:
            if rows := found[table.name]:
                standard_output().print(rows_table(rows, table.title))
