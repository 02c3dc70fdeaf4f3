"""The command `kresnet`: thin, typed functions over the library.

A command reads the spec, calls one library function and prints what happened.
Whatever is heavy to import is imported inside the command that needs it.
"""

import sys
from typing import Annotated

import typer

from kresnet.cli_frame import run
from kresnet.commands.bench import bench
from kresnet.commands.check import check
from kresnet.commands.devices import devices
from kresnet.commands.diff import diff
from kresnet.commands.evaluate import evaluate
from kresnet.commands.explain import explain
from kresnet.commands.export import export
from kresnet.commands.predict import predict
from kresnet.commands.report import report
from kresnet.commands.responses import responses
from kresnet.commands.schema import schema
from kresnet.commands.show import show
from kresnet.commands.specs import specs
from kresnet.commands.study import study
from kresnet.commands.train import train
from kresnet.ending import end_on_signals
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
  73  the output cannot be written, or another process holds it
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


app.command()(check)
app.command()(show)
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

app.command()(specs)
app.command()(schema)


def main() -> None:
    """Runs the command and exits with its code."""
    end_on_signals()
    code = run(app)
    if is_member():
        end(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
