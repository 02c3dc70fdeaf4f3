"""Commands that look at specs: check, show, explain, diff, schema, specs."""

from typing import Annotated

import typer

from kresnet.commands.arguments import Overrides, SpecName, SpecNames, SpecOrRun
from kresnet.errors import KresnetError
from kresnet.notices import notify, say


def check(specs: SpecNames, overrides: Overrides = None) -> None:
    """Check specs without building anything."""
    from kresnet.architecture import census
    from kresnet.spec import load_spec

    codes = set()
    for name in specs:
        try:
            spec = load_spec(name, overrides or (), notify=notify)
        except KresnetError as error:
            notify(error)
            codes.add(error.exit_code)
        else:
            counted = census(spec.model)
            say(
                f"{name}: ok, {counted.layers:,} layers,"
                f" {counted.parameters:,} parameters"
            )
    if codes:  # 2 if any spec is wrong, 66 if some are only missing
        raise typer.Exit(min(codes))


def show(spec: SpecName, overrides: Overrides = None) -> None:
    """Show the layers, parameters and multiply-adds of a network."""
    from kresnet.architecture import census, layer_table
    from kresnet.spec import load_spec

    loaded = load_spec(spec, overrides or (), notify=notify)
    print(f"{loaded.name}\n")
    print(layer_table(census(loaded.model)))


def diff(a: SpecOrRun, b: SpecOrRun) -> None:
    """Say what differs between two specs or runs, and count both networks."""
    from kresnet.commands.arguments import read_spec_or_run
    from kresnet.difference import difference

    found = difference(read_spec_or_run(a), read_spec_or_run(b))
    say(f"{a} -> {b}", "", *found.split("\n"))


def explain(
    spec_or_run: SpecOrRun,
    overrides: Overrides = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of text.")
    ] = False,
) -> None:
    """Say point by point what the paper says and what a spec or run does.

    Every point is graded: equal, equivalent (the same by other means, or a
    choice that the paper leaves open) or deviates.
    """
    import dataclasses
    import json
    import shutil

    from kresnet.commands.arguments import read_spec_or_run
    from kresnet.explain import as_text, explain

    spec, record = read_spec_or_run(spec_or_run, overrides or ())
    points = explain(spec, record)
    if as_json:
        content = {
            "name": spec.name,
            "points": [dataclasses.asdict(point) for point in points],
        }
        print(json.dumps(content, indent=2))
    else:
        width = min(shutil.get_terminal_size().columns, 100)
        say(spec.name, "", *as_text(points, width).split("\n"))


def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    import json

    from kresnet.spec import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def specs(
    studies: Annotated[
        bool, typer.Option("--studies", help="List the studies instead.")
    ] = False,
) -> None:
    """List the shipped specs."""
    from kresnet.documents import SPECS, STUDIES

    for name in (STUDIES if studies else SPECS).names():
        print(name)
