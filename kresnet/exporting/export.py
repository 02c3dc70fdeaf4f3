"""Exporting the network of a run for use without kresnet."""

import json
import os
import shlex
from pathlib import Path

import keras

from kresnet import sealed_folder
from kresnet.data import Source
from kresnet.errors import (
    CannotWriteError,
    KresnetError,
    SpecError,
    write_error,
)
from kresnet.exporting.comparison import compare
from kresnet.exporting.formats import check_installed, write_model
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.network import any_size_model
from kresnet.printable import is_utf8
from kresnet.records.export import ExportRecord, Format
from kresnet.trained import Layered, Trained, open_trained
from kresnet.trained.runtimes import MODEL_FILES


@without_retracing_warnings()
def export(
    run: Trained | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    format: Format = "tf_saved_model",
    data_dir: str | os.PathLike[str] | None = None,
    checkpoint: int | None = None,
) -> Path:
    """Exports the network of a run.

    The exported function takes raw pixels, uint8 `(batch, height, width,
    channels)` with any batch size (LiteRT: at least 1), in the range of the
    data set (0 to 255; digits: 0 to 16), and returns float32 probabilities
    `(batch, classes)`. The transforms are inside it, so nothing is normalised
    outside. So is the test view of a network with views, which takes images of
    any height and width, one size a batch: decoded, upright and RGB.

    After writing, the export is loaded in a fresh process in which neither
    kresnet nor Keras can be imported and compared with the run's own model on
    128 test images in batches of 1, 7 and 120: probabilities may differ by
    1e-6 (SavedModel) or 1e-4 (the others), the best class not at all. A network
    with views is compared on up to 128 whole test images, one by one, with what
    the run's model says of the views that Pillow makes of them: probabilities
    may differ by 1e-3.

    The folder holds the model, `classes.json` (the names, in the order of the
    probabilities) and a manifest with SHA-256 sums. A SavedModel has the
    endpoints `serve` and `class_names` and no signatures; an ONNX file has the
    names in its metadata.

    Args:
        run: A run or its folder.
        out: The folder to make. Defaults to `export` in the run folder,
            `export-litert` and `export-onnx` for the other formats.
        format: "tf_saved_model", "litert" or "onnx".
        data_dir: Where prepared data sets are; see `load_dataset`.
        checkpoint: Iteration of the checkpoint to export, where `run` is a
            folder; `None` for the newest.

    Returns:
        The folder.

    Raises:
        SpecError: An unknown format, another backend than TensorFlow, a
            folder in which TensorFlow would not find the export, or `run` is
            an export.
        InputMissingError: No run, no data, or a format's packages are not
            installed.
        BadDataError: The data are not those of the run, or the export does
            not compute what the run's model does; nothing is left of it.
        CannotWriteError: `out` exists or cannot be written.
        DiskFullError: The disk is full.
    """
    if format not in MODEL_FILES:
        raise SpecError(
            f"--format: must be one of {', '.join(MODEL_FILES)}. "
            f"Received: {format}"
        )
    if out is None:
        folder = run.folder if isinstance(run, Trained) else Path(run)
        ending = "" if format == "tf_saved_model" else f"-{format}"
        out = folder / f"export{ending}"
    out = Path(out)
    # Before the run is opened, which takes its time.
    _refuse_unusable_name(out, format)
    network = open_trained(run, checkpoint).with_layers("export")
    if (backend := keras.backend.backend()) != "tensorflow":
        raise SpecError(
            f"export needs the TensorFlow backend, and this is {backend}; a "
            "run of any backend can be exported: KERAS_BACKEND=tensorflow "
            f"kresnet export {shlex.quote(str(network.folder))}"
        )
    check_installed(format)
    _refuse_existing(out)
    _write(out, format, network, network.data(data_dir))
    return out


def _refuse_unusable_name(out: Path, format: str) -> None:
    """Nobody could load what is written there, and TensorFlow does not say."""
    text = str(out)
    patterns = [each for each in "*?[\\" if each in text]
    if format == "tf_saved_model" and patterns:
        raise SpecError(
            f"{out}: TensorFlow takes {' and '.join(patterns)} in a path for a"
            " pattern and would not find the export; name another folder with"
            " --out"
        )
    if not is_utf8(out):
        raise SpecError(
            f"{out}: must be a path of UTF-8 text, since what loads {format}"
            " takes no other; name another folder with --out"
        )


def _refuse_existing(out: Path) -> None:
    try:
        out.lstat()
    except FileNotFoundError:
        return
    except OSError as error:  # a name that is too long, a file in the way
        raise write_error(out, error) from error
    raise CannotWriteError(
        f"{out}: exists and is not overwritten; name another folder with --out"
    )


def _write(out: Path, format: Format, run: Layered, data: Source) -> None:
    model = run.inference_model()
    record = ExportRecord(
        kresnet_export=1,
        format=format,
        iteration=run.iteration,
        identity=run.identity,
        spec=run.spec,
        class_names=data.class_names,
    )
    content = record.model_dump(mode="json")
    names, views = data.class_names, run.spec.data.views
    written = any_size_model(model, views.test) if views else model
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with sealed_folder.create(out, content) as own:
            write_model(own, format, written, names)
            text = json.dumps(list(names), ensure_ascii=False) + "\n"
            (own / "classes.json").write_text(text, encoding="utf-8")
            content["compared"] = compare(
                own, format, model, data.images("test"), names, bool(views)
            )
    except KresnetError as error:
        raise type(error)(f"{out}: not exported: {error}") from error
    except OSError as error:
        raise write_error(out, error) from error
