"""Where an evaluation is written, and under which name."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from kresnet.errors import SpecError, write_error
from kresnet.exporting import Export
from kresnet.files import replace_file
from kresnet.training import Run


def results_folder(
    network: Run | Export, out: str | os.PathLike[str] | None
) -> Path | None:
    """Where an evaluation is written, made now; `None` for nowhere.

    Raises:
        SpecError: `out` is empty, or inside an export.
        CannotWriteError: It cannot be made.
    """
    if out is None:
        return network.folder if isinstance(network, Run) else None
    if not os.fspath(out):
        raise SpecError('--out: must name a folder. Received: ""')
    folder, own = Path(out).resolve(), network.folder.resolve()
    if isinstance(network, Export) and folder.is_relative_to(own):
        raise SpecError(
            f"--out: an export is sealed; name a folder outside it. Received:"
            f" {out}"
        )
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


def result_name(split: str, batch_norm: str) -> str:
    """Name, without ending, of the files of one evaluation."""
    return f"evaluation-{split}-{batch_norm}"


def write_result(path: Path, evaluation: Any) -> None:
    """Writes an `Evaluation` as JSON, in one step.

    Raises:
        CannotWriteError: The folder cannot be written.
        DiskFullError: The disk is full.
    """
    text = json.dumps(dataclasses.asdict(evaluation), indent=2)
    try:
        replace_file(path, text + "\n")
    except OSError as error:
        raise write_error(path, error) from error
