"""An argument that is a spec or the folder of a run."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kresnet.errors import SpecError
from kresnet.records.run import read_recorded_run
from kresnet.spec import Spec, load_spec, shipped_specs


def read_spec_or_run(
    name: str, overrides: Sequence[str] = ()
) -> tuple[Spec, dict[str, Any] | None]:
    """Reads a spec, or the spec and the run.json of a run folder.

    A folder is a run, unless it has the name of a shipped spec and no run.json.

    Raises:
        KresnetError: It is neither, or overrides are given for a run.
    """
    folder = Path(name)
    # Not `Path.exists`, which raises for a name that is too long.
    is_run = os.path.exists(folder / "run.json")
    if is_run or (os.path.isdir(folder) and name not in shipped_specs()):
        if overrides:
            raise SpecError(f"--set: {name} is a run, which is what it is")
        run = read_recorded_run(folder)
        return run.spec, run.info
    return load_spec(name, overrides), None
