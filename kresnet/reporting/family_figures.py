"""The curves of a report: a figure for runs of one kind and one schedule."""

from collections.abc import Iterable, Iterator, Sequence

from kresnet.errors import KresnetError
from kresnet.files import number
from kresnet.records.run import RecordedRun
from kresnet.reporting.groups import Group, ReportedRuns
from kresnet.reporting.learning_curve import Curve, learning_curves
from kresnet.reporting.loss_curve import LossCurve, loss_curve, loss_curves
from kresnet.reporting.metrics_file import read_metrics
from kresnet.reporting.proxy import caption
from kresnet.reporting.report_figures import Notify, ReportFigure
from kresnet.spec import Spec


def curve_figures(
    reported: ReportedRuns, notify: Notify
) -> Iterator[ReportFigure]:
    """A figure for every family: runs of one kind and one schedule."""
    for members in _families(reported):
        spec = members[0][0].spec
        curves, sentences = [], []
        for group, run in members:
            try:
                curve = _curve(group, run)
            except KresnetError as error:
                notify(str(error))
                continue
            curves.append(curve)
            sentences.append(_sentence(curve, run))
        title = _title(spec, curves)
        if curves:
            yield ReportFigure(
                "curves",
                title,
                caption(
                    "Training error is dashed, validation error solid; a"
                    " colour is a network, a line a run.",
                    _any_proxy(members),
                ),
                " ".join(sentences),
                learning_curves(spec, curves, title),
            )


def loss_figures(reported: ReportedRuns) -> Iterator[ReportFigure]:
    """The validation loss of every family after the first drop of the rate."""
    for members in _families(reported):
        spec = members[0][0].spec
        curves = []
        for group, run in members:
            try:
                metrics = read_metrics(run.folder)
            except KresnetError:
                continue  # said with the learning curves
            curve = loss_curve(group.spec, group.shown, metrics)
            if curve is not None:
                curves.append(curve)
        if curves:
            title = _title(spec, curves)
            found = [_lowest_and_last(curve) for curve in curves]
            yield ReportFigure(
                "losses",
                f"{title}, validation loss",
                caption(
                    "Cross-entropy on the validation images from the first"
                    " drop of the learning rate on; a colour is a network, a"
                    f" line a run. {'; '.join(found)}.",
                    _any_proxy(members),
                ),
                " ".join(f"{text}." for text in found),
                loss_curves(spec, curves, title),
            )


def _lowest_and_last(curve: LossCurve) -> str:
    iteration, lowest = curve.lowest
    return (
        f"{curve.label}: lowest {lowest:.4f} at iteration {iteration:,.0f},"
        f" {curve.last:.4f} at the last"
    )


def _families(
    reported: ReportedRuns,
) -> Iterable[list[tuple[Group, RecordedRun]]]:
    families: dict[tuple, list[tuple[Group, RecordedRun]]] = {}
    for group in reported.groups:
        for run in group.runs:
            families.setdefault(_family(group.spec), []).append((group, run))
    return families.values()


def _any_proxy(members: list[tuple[Group, RecordedRun]]) -> bool:
    return any(group.proxy for group, _ in members)


def _family(spec: Spec) -> tuple:
    blocks = {stage.block for stage in spec.model.stages}
    kind = "plain" if blocks == {"plain"} else "residual"
    rate, iterations = spec.training.learning_rate, spec.training.iterations
    return kind, spec.data.dataset, iterations, rate.at, rate.divide_by


def _title(spec: Spec, curves: Sequence[Curve | LossCurve]) -> str:
    kind, dataset, iterations, *_ = _family(spec)
    labels = {curve.label for curve in curves}
    several = f"{kind.capitalize()} networks"
    name = labels.pop() if len(labels) == 1 else several
    return f"{name} on {dataset}, {iterations:,} iterations"


def _curve(group: Group, run: RecordedRun) -> Curve:
    tested = number(run.info.get("test_error")) if run.finished else None
    return Curve(
        group.shown, read_metrics(run.folder), tested, not run.finished
    )


def _sentence(curve: Curve, run: RecordedRun) -> str:
    last = {name: column[-1] for name, column in curve.metrics.items()}
    numbers = [
        f"{name} {value:.2f} %"
        for name, value in (
            ("training", last["training_error"]),
            ("validation", last["validation_error"]),
            ("test", curve.test_error),
        )
        if value is not None
    ]
    early = ", not finished" if curve.unfinished else ""
    return (
        f"{curve.label}, seed {run.seed}{early}, at iteration"
        f" {last['iteration']:,.0f}: {', '.join(numbers)}."
    )
