"""What the studies of a report say of themselves, at its head."""

from collections.abc import Iterator

from kresnet.records.study import study_of
from kresnet.reporting.groups import ReportedRuns
from kresnet.reporting.markup import Markup, element


def study_headings(reported: ReportedRuns) -> Iterator[Markup]:
    """A paragraph for every study that has a run here: what it shows."""
    runs = [run.folder for group in reported.groups for run in group.runs]
    studies = [study_of(folder) for folder in runs]
    for study in dict.fromkeys(filter(None, studies)):
        yield element("p", element("strong", f"{study.name}: "), study.shows)
        if study.proxy:
            yield element(
                "p",
                element("strong", "Proxy: "),
                f"{study.budget * 100:.4g} % of the iterations, the drops of"
                " the learning rate scaled with them. Every number of this"
                " study is a proxy's and none stands beside the paper's.",
            )
