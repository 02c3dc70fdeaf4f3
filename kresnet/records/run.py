"""What a run wrote down, read without Keras."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from kresnet.errors import BadDataError, InputMissingError
from kresnet.files import number, read_json
from kresnet.spec import Spec, load_spec

# What a run.json must have to be reported.
KINDS = {"status": str, "iteration": int, "seed": int, "versions": dict}
# What it must have for the run to go on, or its network to be used: all that
# is there from the first moment. What may be `None` may be missing.
ALL_KINDS = KINDS | {
    "spec_digest": str,
    "data_fingerprint": str,
    "hardware": dict,
    "seconds": float | int,
    "cpu_seconds": float | int,
    "checkpoint": int | None,
    "options": dict | None,
}
Kinds = Mapping[str, type | UnionType]


@dataclass(frozen=True)
class RecordedRun:
    """A run folder without its weights, which may be elsewhere or gone.

    Attributes:
        folder: Path of the run folder.
        spec: As run.
        info: Contents of run.json.
    """

    folder: Path
    spec: Spec
    info: dict[str, Any]

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.info["seed"]

    @property
    def finished(self) -> bool:
        """Whether it came to its last iteration and was measured."""
        return self.info["status"] == "finished"


def read_recorded_run(path: Path | str, kinds: Kinds = KINDS) -> RecordedRun:
    """Reads run.json and spec.yaml of a run folder.

    Args:
        path: The folder.
        kinds: What run.json must have.

    Raises:
        InputMissingError: It is no run folder; says what is there.
        BadDataError: run.json is not the record of a run.
        SpecError: spec.yaml is wrong.
    """
    folder = Path(path)
    if not os.path.isdir(folder):  # whose name may be too long for one
        raise InputMissingError(f"{folder}: there is no such run folder")
    info = read_info(folder / "run.json", kinds)
    if info is None:
        raise InputMissingError(
            f"{folder}: not a run folder: it has no run.json."
            f" {what_is_there(folder)}"
        )
    return RecordedRun(folder, load_spec(folder / "spec.yaml"), info)


def read_info(file: Path, kinds: Kinds = KINDS) -> dict[str, Any] | None:
    """Reads a run.json; `None` where there is none.

    Args:
        file: Its path.
        kinds: What it must have.

    Raises:
        InputMissingError: It cannot be read.
        BadDataError: It is not the record of a run.
    """
    try:
        info = read_json(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputMissingError(
            f"{file}: cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise BadDataError(f"{file}: not JSON: {error}") from error
    if not isinstance(info, dict) or any(
        not _is(info.get(name), kind) for name, kind in kinds.items()
    ):
        fields = ", ".join(
            f"{name} ({getattr(kind, '__name__', kind)})"
            for name, kind in kinds.items()
        )
        raise BadDataError(
            f"{file}: not the record of a run: must have {fields}"
        )
    return info


def _is(value: Any, kind: type | UnionType) -> bool:
    """Of a kind, where true is no number, nor is what is not finite."""
    if isinstance(value, int | float) and number(value) is None:
        return False
    return isinstance(value, kind)


def what_is_there(folder: Path) -> str:
    """What a folder holds, for a message that says what it lacks."""
    names = sorted(p.name for p in folder.iterdir() if p.name[0] != ".")
    return f"Found: {', '.join(names) or 'nothing'}"
