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


def result_path(
    network: Run | Export,
    split: str,
    batch_norm: str,
    out: str | os.PathLike[str] | None,
) -> Path | None:
    """The file of an evaluation, its folder made now; `None` for nowhere.

    Raises:
        SpecError: `out` is empty, inside an export, or another run.
        CannotWriteError: It cannot be made.
    """
    folder = _folder(network, out)
    if folder is None:
        return None
    name = f"evaluation-{split}-{batch_norm}"
    if isinstance(network, Run):
        used = network.checkpoint.iteration
        if used != network.info.get("checkpoint"):  # not the last
            name += f"-{used}"
    return folder / f"{name}.json"


def _folder(network, out) -> Path | None:
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
    if folder != own and os.path.exists(folder / "run.json"):
        raise SpecError(
            "--out: must not be another run, whose evaluations are its own."
            f" Received: {out}"
        )
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


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
