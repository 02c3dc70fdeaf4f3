"""Commands that look at this machine: devices, bench."""

from pathlib import Path
from typing import Annotated

import typer

from kresnet.commands.arguments import DataDir, DeviceList, Overrides, SpecNames
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import notify, say, standard_output


def devices(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="[SPEC]",
            help="What would be trained: a YAML file, or a shipped spec.",
        ),
    ] = "resnet20",
    overrides: Overrides = None,
    devices: DeviceList = None,
) -> None:
    """Show the devices of this machine, and which a training would use."""
    from kresnet.spec import load_spec

    loaded = load_spec(spec, overrides or ())
    import_keras_quietly()
    from kresnet.machine.place import overview

    say(*overview(devices, loaded))


def bench(
    specs: SpecNames,
    overrides: Overrides = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="tensorflow or jax. May be repeated. [default: all installed]",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="PROGRAM",
            help="Measure this beside them: tests/reference of a checkout,"
            " which needs PyTorch.",
        ),
    ] = None,
    iterations: Annotated[
        int, typer.Option(metavar="N", min=1, help="Measured at a time.")
    ] = 10,
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Turns of each subject.")
    ] = 5,
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16 or float64.")
    ] = "float32",
    data_dir: DataDir = None,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where to write every number."),
    ] = None,
) -> None:
    """Measure how fast specs train, by turns with a reference."""
    import_keras_quietly()
    from kresnet.benchmark import (
        bench,
        benchmark_tables,
        benchmark_values,
        write_values,
    )
    from kresnet.files import check_file

    if json is not None:
        check_file(Path(json))
    found = []
    for spec in specs:
        benchmark = bench(
            spec,
            overrides=overrides or (),
            backends=backend or (),
            reference=reference,
            iterations=iterations,
            rounds=rounds,
            precision=precision,
            data_dir=data_dir,
            notify=notify,
        )
        found.append(benchmark_values(benchmark))
        for table in benchmark_tables(benchmark):
            standard_output().print(table)
        if json is not None:
            write_values(Path(json), found)
    if json is not None:
        say(f"numbers: {json}")
