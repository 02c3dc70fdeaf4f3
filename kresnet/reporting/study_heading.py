"""What a study says of itself, at the head of its report."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from kresnet.reporting.markup import Markup, element
from kresnet.reporting.study import number


def study_headings(paths: Iterable[Path | str]) -> Iterator[Markup]:
    """A paragraph for every folder that is a study's: what it shows."""
    for path in map(Path, paths):
        try:
            summary = json.loads((path / "study.json").read_text("utf-8"))
            name, shows = str(summary["name"]), str(summary["shows"])
            budget = number(summary.get("budget"))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # runs that belong to no study, or not written by one
        yield element("p", element("strong", f"{name}: "), shows)
        if budget is not None and budget < 1:
            yield element(
                "p",
                element("strong", "Proxy: "),
                f"{budget * 100:.4g} % of the iterations, the drops of the"
                " learning rate scaled with them. Every number on this page is"
                " a proxy's and none stands beside the paper's.",
            )
