"""The runs of a study, planned, with a budget."""

import contextlib
import dataclasses
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from kresnet.documents import shown
from kresnet.errors import (
    BadDataError,
    CannotWriteError,
    InputMissingError,
    SpecError,
    write_error,
)
from kresnet.files import make_folder, replace_file, visible_names
from kresnet.records.checkpoints import weights_sum
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Beginning, Identity
from kresnet.records.imported import read_import
from kresnet.records.run import RecordedRun, RunRecord, read_recorded_run
from kresnet.records.study import STUDY, StudyRecord, read_study
from kresnet.records.typed_file import as_json
from kresnet.spec import Spec, dump_spec, load_spec
from kresnet.spec.recipe import reasons_not_begun, reasons_not_deeper
from kresnet.study.file import Study, StudyRun

# Lines about single layers in a message.
MOST_LINES = 10
# Few digits, so that none takes long: 1e-99999999 would fill the memory.
SHARE = re.compile(r"[0-9]{1,20}/[0-9]{1,20}|[0-9.]{1,20}(e-?[0-9]{1,2})?")


def parse_budget(text: str) -> Fraction:
    """Reads "5%" or "0.05"; a SpecError unless it is in (0, 1]."""
    share = text.strip().removesuffix("%").rstrip()
    budget = Fraction(0)
    if SHARE.fullmatch(share):
        with contextlib.suppress(ValueError, ZeroDivisionError):
            budget = Fraction(share)
    if text.strip().endswith("%"):
        budget /= 100
    if not 0 < budget <= 1:
        raise SpecError(
            "--budget: must be a share such as 5% or 0.05, above 0 and at most"
            f" 100%. Received: {shown(text)}"
        )
    return budget


def scaled(spec: Spec, budget: Fraction) -> Spec:
    """Scales iterations, drops and the warm-up's limit together.

    Drops that would fall together, or on the last iteration, are left out;
    rows of metrics.csv come at least ten times. Raises a SpecError where
    nothing to train would be left.
    """
    if budget == 1:
        return spec
    training = spec.training
    iterations = round(training.iterations * budget)
    if iterations < 1:
        raise SpecError(f"--budget: leaves {spec.name} no iteration")
    drops = {round(at * budget) for at in training.learning_rate.at}
    rate = training.learning_rate.model_copy(
        update={"at": tuple(sorted(d for d in drops if 0 < d < iterations))}
    )
    changes = {
        "iterations": iterations,
        "learning_rate": rate,
        "evaluate_every": max(
            1, min(training.evaluate_every, iterations // 10)
        ),
    }
    if warm_up := training.warm_up:
        field = "iterations" if warm_up.iterations else "limit"
        least = 1 if warm_up.iterations else warm_up.over
        longest = max(least, round(warm_up.longest * budget))
        if longest > iterations:
            raise SpecError(
                f"--budget: leaves {spec.name} {iterations} iterations, fewer"
                f" than the {warm_up.over} batches that its warm-up looks at"
            )
        changes["warm_up"] = warm_up.model_copy(update={field: longest})
    changed = training.model_copy(update=changes).model_dump()
    # It is checked again.
    return Spec.model_validate({**spec.model_dump(), "training": changed})


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run of a study.

    Attributes:
        run: Its entry in the study.
        spec: What is run, the budget applied.
        seed: Its seed.
        spec_file: The file that the spec is written to.
        folder: The run folder.
        source: The folder of an earlier run or an import, with whose weights
            this one begins, deepened or as they are.
    """

    run: StudyRun
    spec: Spec
    seed: int
    spec_file: Path
    folder: Path
    source: Path | None = None


def read_records(planned: Sequence[PlannedRun]) -> list[RunRecord | None]:
    """What each run of a whole study wrote down; `None` if it is not begun.

    All have the precision that the study names, and all runs on a data set
    are on the same data; a run of another experiment is a SpecError.
    """
    begun: dict[Path, RecordedRun | None] = {}
    for each in planned:
        begun[each.folder] = None
        with contextlib.suppress(InputMissingError):
            begun[each.folder] = read_recorded_run(each.folder)
    there = [run for run in begun.values() if run]
    data = {run.spec.data.dataset: run.identity.data for run in there[::-1]}
    # Keras' own setting, which a study has in common.
    found = [run.identity.precision for run in there]
    numbers = [precision for precision in found if precision != "bfloat16"]
    float64 = numbers[:1] == ["float64"]
    meant: dict[Path, Identity] = {}
    for each in planned:
        beginning = None
        if each.source in meant:
            weights = _weights(begun[each.source])
            beginning = Beginning(source=meant[each.source], weights=weights)
        elif each.source:
            beginning = _with_import(each.source)
        if beginning and each.run.keep_transforms:
            beginning = beginning.model_copy(update={"kept_transforms": True})
        precision = each.run.precision
        meant[each.folder] = Identity.of(
            each.spec,
            each.seed,
            data.get(each.spec.data.dataset),
            precision="float64"
            if float64 and precision == "float32"
            else precision,
            beginning=beginning,
        )
        run = begun[each.folder]
        if run and (other := run.identity.differences(meant[each.folder])):
            raise SpecError(
                f"{each.folder}: holds a run of another experiment; name"
                " another folder with --out. What differs:",
                *(f"  {line}" for line in other),
            )
    return [run.record if run else None for run in begun.values()]


def _with_import(folder: Path) -> Beginning:
    record = read_import(folder)
    source = record.identity(load_spec(folder / "spec.yaml"))
    return Beginning(source=source, weights=record.weights)


def _weights(source: RecordedRun | None) -> str | None:
    if source is None or not source.finished:
        return None
    checkpoints = RunFolder(source.folder).checkpoints
    return weights_sum(checkpoints, source.record.iteration)


def plan(study: Study, budget: Fraction, out: Path) -> list[PlannedRun]:
    """Loads every spec of a study, and checks what begins with what.

    Args:
        study: What to run.
        budget: The share of the iterations, in (0, 1].
        out: The folder of the study; nothing is read there or written.

    Raises:
        InputMissingError: A spec is not there.
        SpecError: A spec has mistakes, the budget leaves it no iteration, or
            a run is not the one deepened that it names, or not of the network
            that it begins with.
    """
    planned = []
    specs: dict[str, Spec] = {}
    for run in study.runs:
        spec = scaled(load_spec(run.spec, run.set), budget)
        # Named as in the study, so that the report tells them apart.
        spec = spec.model_copy(update={"name": run.label})
        shallow = specs.get(run.deepen or "")
        if shallow and (reasons := reasons_not_deeper(shallow, spec)):
            raise SpecError(
                f"{run.label}: deepen: is not {run.deepen} with plain blocks"
                " added:",
                *(f"  {reason}" for reason in reasons),
            )
        if run.begin_with:
            _refuse_other_network(run, spec, specs.get(run.begin_with))
        planned += [
            PlannedRun(
                run,
                spec,
                seed,
                out / "specs" / f"{run.label}.yaml",
                out / run.label / f"seed{seed}",
                _source(run, seed, out, specs),
            )
            for seed in run.seeds
        ]
        specs[run.label] = spec
    return planned


def _refuse_other_network(
    run: StudyRun, spec: Spec, source: Spec | None
) -> None:
    """Raises unless a run can begin with a run's or an import's weights."""
    folder = Path(run.begin_with or "")
    lacks: Sequence[str] = ()
    if source is None:
        lacks = read_import(folder).drawn
        source = load_spec(folder / "spec.yaml")
    reasons = reasons_not_begun(source, spec, lacks, run.keep_transforms)
    if reasons:
        raise SpecError(
            f"{run.label}: begin_with: cannot begin with {run.begin_with}:",
            *(f"  {reason}" for reason in reasons[:MOST_LINES]),
            *(["  …"] if len(reasons) > MOST_LINES else []),
        )


def _source(
    run: StudyRun, seed: int, out: Path, earlier: Mapping[str, Spec]
) -> Path | None:
    """The folder of the run or of the import that a run begins with."""
    if run.source is None:
        return None
    if run.source in earlier:
        return out / run.source / f"seed{seed}"
    return Path(run.source)


def refuse_other_folder(out: Path, study: Study) -> None:
    """Raises unless a folder is the study's, or empty but for hidden files."""
    try:
        names = visible_names(out)
    except FileNotFoundError:
        return
    except OSError as error:
        raise write_error(out, error) from error
    if not names:
        return
    try:
        there = read_study(out)
    except BadDataError:
        there = None
    if there is None:
        raise CannotWriteError(
            f"{out}: holds files and no {STUDY} of a study:"
            f" {', '.join(names[:5])}; name another folder with --out"
        )
    if there.name != study.name:
        raise SpecError(
            f"{out}: holds the study {there.name}; name another folder with"
            " --out"
        )


def write_plan(
    out: Path, study: Study, budget: Fraction, planned: Sequence[PlannedRun]
) -> None:
    """Writes study.json, then the specs as they are run."""
    fields = study.model_dump(mode="json", exclude_defaults=True)
    record = StudyRecord(**fields, budget=float(budget))
    make_folder(out)
    replace_file(out / STUDY, as_json(record))  # it marks the folder
    for each in planned:
        make_folder(each.spec_file.parent)
        replace_file(each.spec_file, dump_spec(each.spec))
