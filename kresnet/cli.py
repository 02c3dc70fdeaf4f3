"""The command `kresnet`: thin, typed functions over the library.

A command reads the spec, calls one library function and prints what happened.
Whatever is heavy to import is imported inside the command that needs it.
"""

import sys
from typing import Annotated

import typer

from kresnet.cli_frame import run
from kresnet.commands.bench import bench
from kresnet.commands.devices import devices
from kresnet.commands.diff import diff
from kresnet.commands.evaluate import evaluate
from kresnet.commands.explain import explain
from kresnet.commands.export import export
from kresnet.commands.options import Overrides, SpecName
from kresnet.commands.predict import predict
from kresnet.commands.report import report
from kresnet.commands.responses import responses
from kresnet.commands.study import study
from kresnet.commands.train import train
from kresnet.errors import KresnetError
from kresnet.member import end, is_member

EXIT_CODES = """\b
Exit codes:
   0  done
   1  a bug in kresnet; the traceback is in the file named
   2  the spec or the command line is wrong
  65  data, a checkpoint or an image is damaged
  66  a file, a data set or a checkpoint is missing
  69  a device is missing, or its memory ran out
  70  the training diverged
  73  the output cannot be written
  74  the disk is full
  75  stopped and saved; the same command continues
"""

app = typer.Typer(
    epilog=EXIT_CODES,
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain text: rich would double the time of --help and rewrap the epilog.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def kresnet(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Experiments with residual networks, one YAML file each."""
    if version:
        from importlib.metadata import version as installed

        print(installed("kresnet"))
        raise typer.Exit


@app.command()
def check(
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC",
            help="YAML files, or names of shipped specs.",
        ),
    ],
    overrides: Overrides = None,
) -> None:
    """Check specs without building anything."""
    from kresnet.census import census
    from kresnet.spec import load_spec

    codes = set()
    for name in specs:
        try:
            spec = load_spec(name, overrides or (), notify=say)
        except KresnetError as error:
            say(error)
            codes.add(error.exit_code)
        else:
            counted = census(spec.model)
            print(
                f"{name}: ok, {counted.layers:,} layers,"
                f" {counted.parameters:,} parameters"
            )
    if codes:  # 2 if any spec is wrong, 66 if some are only missing
        raise typer.Exit(min(codes))


@app.command()
def show(spec: SpecName, overrides: Overrides = None) -> None:
    """Show the layers, parameters and multiply-adds of a network."""
    from kresnet.census import census, layer_table
    from kresnet.spec import load_spec

    loaded = load_spec(spec, overrides or (), notify=say)
    print(f"{loaded.name}\n")
    print(layer_table(census(loaded.model)))


app.command()(explain)
app.command()(diff)
app.command()(train)
app.command()(study)
app.command()(evaluate)
app.command()(report)
app.command()(export)
app.command()(predict)
app.command()(responses)
app.command()(bench)
app.command()(devices)


@app.command()
def specs(
    studies: Annotated[
        bool, typer.Option("--studies", help="List the studies instead.")
    ] = False,
) -> None:
    """List the shipped specs."""
    from kresnet.spec.shipped import SPECS, STUDIES

    for name in (STUDIES if studies else SPECS).names():
        print(name)


@app.command()
def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    import json

    from kresnet.spec import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def say(message: object) -> None:
    """Prints what the user should know to standard error."""
    print(message, file=sys.stderr)


def main() -> None:
    """Runs the command and exits with its code."""
    code = run(app)
    if is_member():
        end(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
