"""The run folders of a study: what each is to hold, and how far it is."""

import dataclasses
from fractions import Fraction
from pathlib import Path

from kresnet.atomic_file import replace_file
from kresnet.errors import InputMissingError, SpecError, write_error
from kresnet.recorded_run import read_recorded_run
from kresnet.spec import Spec, dump_spec, load_spec, spec_digest
from kresnet.study.budget import scaled
from kresnet.study.file import Study, StudyRun


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run of a study.

    Attributes:
        run: Its entry in the study.
        spec: What is run, the budget applied.
        seed: Its seed.
        spec_file: Where the spec is written to.
        folder: The run folder.
    """

    run: StudyRun
    spec: Spec
    seed: int
    spec_file: Path
    folder: Path

    def info(self) -> dict:
        """What run.json says; a run not begun has the status "not run".

        Raises:
            SpecError: The folder holds a run of another spec or seed.
        """
        try:
            found = read_recorded_run(self.folder)
        except InputMissingError:
            return {"status": "not run", "iteration": 0}
        if (
            spec_digest(found.spec) != spec_digest(self.spec)
            or found.seed != self.seed
        ):
            raise SpecError(
                f"{self.folder}: holds a run of another experiment; name"
                " another folder with --out"
            )
        return found.info


def plan(study: Study, budget: Fraction, out: Path) -> list[PlannedRun]:
    """Loads every spec of a study.

    Raises:
        SpecError: A spec or a change of one is wrong.
        InputMissingError: There is no such spec.
    """
    planned = []
    for run in study.runs:
        spec = scaled(load_spec(run.spec, run.set), budget)
        # Named as in the study, so that the report tells them apart.
        spec = spec.model_copy(update={"name": run.label})
        planned += [
            PlannedRun(
                run,
                spec,
                seed,
                out / "specs" / f"{run.label}.yaml",
                out / run.label / f"seed{seed}",
            )
            for seed in run.seeds
        ]
    return planned


def write_specs(planned: list[PlannedRun]) -> None:
    """Writes the specs as they are run.

    Raises:
        CannotWriteError: The folder cannot be written.
    """
    for each in planned:
        try:
            each.spec_file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(each.spec_file, dump_spec(each.spec))
        except OSError as error:
            raise write_error(each.spec_file, error) from error
