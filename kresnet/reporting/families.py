"""Runs whose curves share axes: of one kind, data set and schedule."""

from kresnet.errors import KresnetError
from kresnet.records.metrics import Columns, read_metrics
from kresnet.records.run import RecordedRun
from kresnet.reporting.groups import Group, Notify, ReportedRuns
from kresnet.spec import Spec

# Runs of one kind and one schedule, with the columns of metrics.csv.
Family = list[tuple[Group, RecordedRun, Columns]]


def read_families(reported: ReportedRuns, notify: Notify) -> list[Family]:
    """The runs whose metrics.csv can be read, by kind and schedule."""
    families: dict[tuple, Family] = {}
    for group, run in reported.members:
        try:
            member = group, run, read_metrics(run.folder)
        except KresnetError as error:
            notify(str(error).replace("\n", "; "))
            continue
        families.setdefault(_family(group.spec), []).append(member)
    return list(families.values())


def _family(spec: Spec) -> tuple:
    blocks = {stage.block for stage in spec.model.stages}
    kind = "plain" if blocks == {"plain"} else "residual"
    rate, iterations = spec.training.learning_rate, spec.training.iterations
    return kind, spec.data.dataset, iterations, rate.at, rate.divide_by


def family_title(spec: Spec, labels: list[str]) -> str:
    """Names a family, or its network where it has only one."""
    kind, dataset, iterations, *_ = _family(spec)
    several = f"{kind.capitalize()} networks"
    name = labels[0] if len(set(labels)) == 1 else several
    return f"{name} on {dataset}, {iterations:,} iterations"
