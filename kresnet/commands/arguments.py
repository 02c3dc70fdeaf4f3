"""Arguments and options that several commands have."""

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from kresnet.errors import SpecError
from kresnet.records.run import RunRecord, read_recorded_run
from kresnet.run_options import RunOptions, option
from kresnet.spec import Spec, load_spec, shipped_specs

SpecName = Annotated[
    str,
    typer.Argument(
        metavar="SPEC", help="A YAML file, or the name of a shipped spec."
    ),
]
SpecNames = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC", help="YAML files, or names of shipped specs."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field: training.learning_rate.at=[750,1125] or"
        " model.stages[0].blocks=3. May be repeated.",
    ),
]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="The folder of a run.")
]
CheckpointOfRun = Annotated[
    int | None,
    typer.Option(
        "--checkpoint",
        metavar="N",
        help="Use the run's checkpoint of iteration N. [default: the newest]",
    ),
]
SpecOrRun = Annotated[
    str,
    typer.Argument(
        metavar="SPEC_OR_RUN",
        help="A YAML file, the name of a shipped spec or the folder of a run.",
    ),
]


def named_folder(param: typer.CallbackParam, value: str | None) -> str | None:
    """Refuses "", which an unset variable of a shell leaves."""
    if value == "":
        name = param.opts[0] if param.opts[0][:1] == "-" else param.metavar
        raise SpecError(f'{name}: must name a folder. Received: ""')
    return value


DataDir = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        callback=named_folder,
        help="Folder of photos, or of data sets that TFDS prepared."
        " [default: $KRESNET_DATA_DIR, then TFDS's own]",
    ),
]


def _annotation(name: str) -> Any:
    """How Typer is to read a field of `RunOptions`."""
    field = RunOptions.model_fields[name]
    kind = field.annotation
    if kind is bool:
        # Only the one flag, not --no-strict beside it.
        return Annotated[
            bool, typer.Option(option(name), help=field.description)
        ]
    words = get_args(kind) if get_origin(kind) is Literal else ()
    metavar = METAVARS.get(name, "|".join(words) or "N")
    shown = typer.Option(metavar=metavar, help=field.description)
    # Bounds are checked by the model, whose words they are.
    plain = str if words or name in METAVARS else int
    return Annotated[plain | None if field.default is None else plain, shown]


METAVARS = {"devices": "all|N|LIST|cpu[:N]"}
DeviceList = _annotation("devices")


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command that takes `**options` those of `RunOptions`."""
    own = inspect.signature(command)
    parameters = [
        each
        for each in own.parameters.values()
        if each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_annotation(name),
        )
        for name, field in RunOptions.model_fields.items()
    ]
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def read_spec_or_run(
    name: str, overrides: Sequence[str] = ()
) -> tuple[Spec, RunRecord | None]:
    """Reads a spec, or the spec and the record of a run folder.

    A folder is a run, unless it has the name of a shipped spec and no run.json.
    """
    folder = Path(name)
    # Not `Path.exists`, which raises for a name that is too long.
    is_run = os.path.exists(folder / "run.json")
    if is_run or (os.path.isdir(folder) and name not in shipped_specs()):
        if overrides:
            raise SpecError(f"--set: {name} is a run, which is what it is")
        run = read_recorded_run(folder)
        return run.spec, run.record
    return load_spec(name, overrides), None
