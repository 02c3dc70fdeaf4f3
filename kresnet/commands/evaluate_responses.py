"""Commands that measure a trained network: evaluate, responses."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kresnet.commands.arguments import CheckpointOfRun, DataDir, RunName
from kresnet.errors import CannotWriteError, DiskFullError, SpecError
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import notify, say, standard_output

if TYPE_CHECKING:
    from kresnet.records.evaluation import EnsembleEvaluation, Evaluation


def evaluate(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN_OR_EXPORT",
            help="The folder of a run or of an export; several with"
            " --ensemble.",
        ),
    ],
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
    view: Annotated[
        str,
        typer.Option(
            help="What is seen of a photo: single, the crop in the centre;"
            " ten-crop; dense, all of it at several sizes; multi-crop;"
            " dense-and-crop."
        ),
    ] = "single",
    scales: Annotated[
        str | None,
        typer.Option(
            metavar="N,N…",
            help="Lengths in pixels that the shorter side is resized to."
            " [default: the paper's, in proportion to the input]",
        ),
    ] = None,
    flip: Annotated[
        bool,
        typer.Option("--flip", help="See mirror images too, single or dense."),
    ] = False,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="Measure the mean of their probabilities."
        ),
    ] = False,
    data_dir: DataDir = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Where to write. [default: the run's folder; for an export"
            " and an ensemble nowhere]",
        ),
    ] = None,
    checkpoint: CheckpointOfRun = None,
) -> None:
    """Measure trained networks and draw their confusion matrix."""
    if len(networks) > 1 and not ensemble:
        raise SpecError(
            "evaluate: takes one folder, or several with --ensemble. Received:"
            f" {len(networks)}"
        )
    if ensemble and checkpoint is not None:
        raise SpecError("--checkpoint: goes without --ensemble")
    sides = () if scales is None else _sides(scales)
    import_keras_quietly()
    from kresnet.evaluation import (
        Choices,
        View,
        ensemble_path,
        measure,
        measure_ensemble,
        open_members,
        result_path,
    )
    from kresnet.trained import open_trained

    seen = View(view, sides, flip)  # type: ignore[arg-type]  # it checks
    choices = Choices(split, batch_norm, seen)  # type: ignore[arg-type]
    notify(f"evaluating {', '.join(networks)}: {split}")
    if ensemble:
        members = open_members(networks)
        path = ensemble_path(members, choices, out)
        whole = measure_ensemble(members, choices, data_dir)
        _show(whole, path, "an ensemble has no folder")
        return
    network = open_trained(networks[0], checkpoint)
    path = result_path(network, choices, out)
    found = measure(network, choices, data_dir)
    _show(found, path, "an export is sealed")


def _sides(scales: str) -> tuple[int, ...]:
    words = scales.split(",")
    if (
        not all(word.isascii() and word.isdigit() for word in words)
        or max(map(len, words)) > 5
    ):
        raise SpecError(
            "--scales: must be lengths in pixels, such as 224,256,384."
            f" Received: {scales}"
        )
    return tuple(map(int, words))


def _show(
    found: "Evaluation | EnsembleEvaluation", path: Path | None, sealed: str
) -> None:
    """Writes what was measured, its figure, and shows it."""
    from kresnet.records.evaluation import write_evaluation
    from kresnet.reporting import draw_confusion, evaluation_table

    try:
        if path:
            write_evaluation(path, found)
    except (CannotWriteError, DiskFullError) as error:
        raise type(error)(f"{error}; name another folder with --out") from error
    finally:  # what took time is shown, also where it cannot be written
        standard_output().print(evaluation_table(found))
    if path is None:
        say(f"not written: {sealed}; name a folder with --out")
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
