"""The command `kresnet explain`."""

from typing import Annotated

import typer

from kresnet.commands.options import Overrides, SpecOrRun
from kresnet.notices import say


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

    from kresnet.commands.spec_or_run import read_spec_or_run
    from kresnet.explain import as_text, explain

    spec, info = read_spec_or_run(spec_or_run, overrides or ())
    points = explain(spec, info)
    if as_json:
        content = {
            "name": spec.name,
            "points": [dataclasses.asdict(point) for point in points],
        }
        print(json.dumps(content, indent=2))
    else:
        width = min(shutil.get_terminal_size().columns, 100)
        say(spec.name, "", *as_text(points, width).split("\n"))
