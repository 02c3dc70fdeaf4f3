"""The command `kresnet`: its commands, and what surrounds each of them.

Errors become messages and exit codes.
"""

import errno
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from kresnet.commands.devices_bench import bench, devices
from kresnet.commands.evaluate_responses import evaluate, responses
from kresnet.commands.export_predict import export, predict
from kresnet.commands.photos import data
from kresnet.commands.specs import check, diff, explain, schema, show, specs
from kresnet.commands.study_report import report, study
from kresnet.commands.train import train
from kresnet.commands.weights import convert, import_weights
from kresnet.errors import DiskFullError, InputMissingError, KresnetError
from kresnet.machine.children import end, is_member
from kresnet.machine.signals import ENDING, EndedError
from kresnet.notices import notify

# What a shell reports for a command that SIGINT or SIGPIPE ended.
INTERRUPTED = 130
PIPE_CLOSED = 141

# The error class of the click that this Typer has, its own or a package.
_UsageError: Any = typer.BadParameter.__base__

# The name of a file cannot be one, or its folder may not be looked into.
UNREACHABLE = {errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EPERM}
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


def run(command: Callable, args: Sequence[str] | None = None) -> int:
    """Runs a command, a Typer app, whatever happens.

    Returns:
        The exit code. Everything else has been said on standard error, and
        the traceback of a bug is in a file.
    """
    _open_closed_streams()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # "×" on an ASCII terminal
    try:
        ENDING.begun = True  # a signal raises EndedError from now on
        return ENDING.conclude(_caught(command, args))
    except EndedError:
        return ENDING.conclude(1)


def _caught(command: Callable, args: Sequence[str] | None) -> int:
    """The exit code; errors become one."""
    try:
        code = _exit_code(command, args)
        sys.stdout.flush()
    except KresnetError as error:
        notify(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_CLOSED
    except Exception as error:
        if ENDING.number:  # and a library made an error of it
            return 1
        if isinstance(error, OSError):
            said = getattr(error.__context__, "exit_code", None)
            if said is not None:  # or rather: could not be said
                return said
            if error.errno in _DISK:
                notify(f"kresnet: {error}")
                _forget_stdout()
                return DiskFullError.exit_code
            if error.errno in UNREACHABLE:
                notify(f"{error.filename or 'kresnet'}: {error.strerror}")
                return InputMissingError.exit_code
        notify(_bug(error))
        return 1
    return code


def _open_closed_streams() -> None:
    """Gives what was closed before the start something to write to."""
    # The next file that is opened would be the output of native code.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


def _exit_code(command: Callable, args: Sequence[str] | None) -> int:
    """The exit code of a command; Typer words wrong usage."""
    try:
        code = command(args, prog_name="kresnet", standalone_mode=False)
    except _UsageError as error:
        text = io.StringIO()
        error.show(text)
        notify(*text.getvalue().splitlines())
        return error.exit_code
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return code or 0  # that of `typer.Exit`


def _bug(error: Exception) -> str:
    """Puts the traceback into a file and says where."""
    text = "".join(traceback.format_exception(error))
    what = traceback.format_exception_only(error)[-1].strip()
    what = what.replace("\n", " ")
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            errors="backslashreplace",
            prefix="kresnet-",
            suffix=".txt",
            delete=False,
        ) as file:
            file.write(text)
    except OSError as failure:
        return f"kresnet: bug: {what} (no traceback written: {failure})"
    return f"kresnet: bug: {what}; traceback in {file.name}"


def _forget_stdout() -> None:
    """Keeps the interpreter from flushing into a closed pipe at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return


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
 130  ended by SIGINT (Ctrl-C) before anything was to be saved
 143  ended by SIGTERM before anything was to be saved
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


for each in (
    *(check, show, explain, diff, train, study, evaluate, report, export),
    *(predict, responses, convert, bench, devices, specs, schema, data),
):
    app.command()(each)
app.command("import")(import_weights)


def main() -> None:
    """Runs the command and exits with its code."""
    ENDING.listen()
    # Figures go to files. Another value ends the import of Matplotlib.
    os.environ["MPLBACKEND"] = "agg"
    code = run(app)
    if is_member():
        end(code)
    sys.exit(code)
