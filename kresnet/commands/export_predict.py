"""Commands that use a trained network: export, predict."""

import sys
from typing import Annotated, cast

import typer

from kresnet.commands.arguments import CheckpointOfRun, DataDir, RunName
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import notify, say
from kresnet.records.export import Format


def export(
    run: RunName,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The folder to make. [default: RUN/export, or"
            " RUN/export-<format>]",
        ),
    ] = None,
    format: Annotated[
        str, typer.Option(help="tf_saved_model, litert or onnx.")
    ] = "tf_saved_model",
    data_dir: DataDir = None,
    checkpoint: CheckpointOfRun = None,
) -> None:
    """Export a trained network for use without kresnet."""
    import_keras_quietly()
    from kresnet.exporting import export

    notify(f"exporting {run} and comparing the export with it")
    folder = export(run, out, cast(Format, format), data_dir, checkpoint)
    say(f"export: {folder}")


def predict(
    run_or_export: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_EXPORT", help="The folder of a run or of an export."
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE", help="PNG, JPEG, GIF, WebP or BMP files."
        ),
    ],
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="Classes to name.")
    ] = 5,
    checkpoint: CheckpointOfRun = None,
) -> None:
    """Name the most probable classes of images.

    Images are turned upright (EXIF), laid on white where transparent, made
    RGB or grey as the network takes them, and resized to its input. A network
    with views sees the test view.
    """
    import_keras_quietly()
    from kresnet.prediction import predict

    count = len(images)
    notify(f"reading {count:,} {'image' if count == 1 else 'images'}")
    predictions = predict(run_or_export, images, top, checkpoint)
    for prediction in predictions:
        for notice in prediction.notices:
            notify(f"{prediction.path}: {notice}")
        if prediction.error is not None:
            notify(f"{prediction.path}: {prediction.error}")
            continue
        say(prediction.path)
        for name, probability in prediction.classes:
            say(f"  {100 * probability:6.2f} %  {name}")
    sys.stdout.flush()  # the count comes last, also through a pipe
    codes = {p.error.exit_code for p in predictions if p.error is not None}
    failed = sum(p.error is not None for p in predictions)
    notify(f"{len(predictions) - failed} ok, {failed} failed")
    if codes:  # 65 if any image is damaged, 66 if some are only missing
        raise typer.Exit(min(codes))
