"""The command `kresnet specs`."""

from typing import Annotated

import typer


def specs(
    studies: Annotated[
        bool, typer.Option("--studies", help="List the studies instead.")
    ] = False,
) -> None:
    """List the shipped specs."""
    from kresnet.documents import SPECS, STUDIES

    for name in (STUDIES if studies else SPECS).names():
        print(name)
