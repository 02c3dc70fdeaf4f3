"""What a run wrote down, read without Keras."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kresnet.errors import BadDataError, InputMissingError
from kresnet.spec import Spec, load_spec

# What every run.json has, of what this program reads.
KINDS = {"status": str, "iteration": int, "seed": int, "versions": dict}


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


def read_recorded_run(path: Path | str) -> RecordedRun:
    """Reads run.json and spec.yaml of a run folder.

    Raises:
        InputMissingError: It is no run folder.
        BadDataError: run.json is not the record of a run.
        SpecError: spec.yaml is wrong.
    """
    folder = Path(path)
    file = folder / "run.json"
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputMissingError(
            f"{folder}: not a run folder: it has no run.json"
        ) from None
    except OSError as error:
        raise InputMissingError(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadDataError(f"{file}: not JSON: {error}") from error
    if not isinstance(info, dict) or any(
        not isinstance(info.get(name), kind) for name, kind in KINDS.items()
    ):
        fields = ", ".join(f"{k} ({v.__name__})" for k, v in KINDS.items())
        raise BadDataError(
            f"{file}: not the record of a run: must have {fields}"
        )
    return RecordedRun(folder, load_spec(folder / "spec.yaml"), info)
