"""Measures a spec by turns with its reference, each in a process of its own."""

import contextlib
import dataclasses
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kresnet import errors
from kresnet.architecture import census
from kresnet.benchmark.serving import CEILINGS, PARTS
from kresnet.errors import InputMissingError, SpecError
from kresnet.machine.surroundings import BACKENDS, refuse_backend
from kresnet.seeds import seed_option
from kresnet.spec import Spec, dump_spec, load_spec


class Subject:
    """A process that trains and is asked how long parts of it take.

    Args:
        name: Its name in tables and messages.
        program: The arguments of the Python interpreter that runs it.
        environment: Variables that it has besides those of this process.

    Raises:
        KresnetError: What the process could not do, said in its words.
        RuntimeError: It ended without an answer.
    """

    def __init__(
        self, name: str, program: Sequence[str], environment: Mapping[str, str]
    ):
        self.name = name
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={**os.environ, **environment},
        )
        # Pipes, as asked for.
        self._requests: Any = self._process.stdin
        self._answers: Any = self._process.stdout
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def run(self, part: str, iterations: int) -> dict:
        """Asks for a part; see `kresnet.benchmark.serving`."""
        request = json.dumps({"part": part, "iterations": iterations})
        try:
            self._requests.write(request + "\n")
            self._requests.flush()
        except BrokenPipeError:
            pass  # it ended: its last words follow
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def _answer(self) -> dict:
        line = self._answers.readline()
        if not line:
            code = self._process.wait()
            self._said.seek(0)
            last = self._said.read().strip()[-2_000:]
            raise RuntimeError(f"{self.name} ended with code {code}: {last}")
        answer = json.loads(line)
        if "error" in answer:
            first, *more = answer["error"]
            kinds = errors.KresnetError.__subclasses__()
            by_name = {kind.__name__: kind for kind in kinds}
            kind = by_name.get(answer["kind"], errors.KresnetError)
            raise kind(f"{self.name}: {first}", *more)
        return answer


PRECISIONS = ("float32", "bfloat16", "float64")
REFERENCE = "reference"
# The host's part has so many times the iterations of others: they are tiny.
_TINY = 5


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What was measured on one spec.

    Attributes:
        facts: What each subject says about itself, by its name.
        rounds: What each round took, by subject and part: `iterations`,
            `seconds` and `cpu_seconds` of them all.
        load: Mean number of processes that wanted to run, in the minute
            before and in the last minute.
    """

    spec: Spec
    precision: str
    facts: dict[str, dict]
    rounds: dict[str, dict[str, list[dict]]]
    load: tuple[float, float]


def bench(
    spec: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    backends: Sequence[str] = (),
    reference: str | os.PathLike[str] | None = None,
    iterations: int = 10,
    rounds: int = 5,
    precision: str = "float32",
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    notify: Callable[[str], None] = print,
) -> Benchmark:
    """Measures the training of a spec.

    All subjects are started first, then each part is measured by turns: A, B,
    A, B … While one runs the others wait for their turn.

    Args:
        spec: The path of a spec, or the name of a shipped one.
        overrides: Changes such as `"training.batch_size=64"`.
        backends: "tensorflow" and "jax"; all that are installed by default.
        reference: A program, run as `python PROGRAM JOB`, that answers as
            `kresnet.benchmark.serving` says.
        iterations: Iterations that are measured at a time.
        rounds: How often each part of each subject is measured.
        precision: "float32", "float64", or "bfloat16" as of `train`.
        data_dir: The folder of prepared data sets; see `load_dataset`.
        seed: Decides initial weights, order and draws.
        notify: Is told what goes on.

    Raises:
        KresnetError: A spec, a backend, data or the reference is not there or
            not usable.
    """
    loaded = load_spec(spec, overrides, notify)
    load = os.getloadavg()[0]
    with open_subjects(
        loaded,
        backends,
        reference,
        precision=precision,
        data_dir=data_dir,
        seed=seed,
        notify=notify,
    ) as subjects:
        found = _measure(subjects, iterations, rounds, loaded.name, notify)
        return Benchmark(
            loaded,
            precision,
            {s.name: s.run("facts", 0) for s in subjects},
            found,
            (load, os.getloadavg()[0]),
        )


@contextlib.contextmanager
def open_subjects(
    spec: Spec,
    backends: Sequence[str] = (),
    reference: str | os.PathLike[str] | None = None,
    *,
    precision: str = "float32",
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    notify: Callable[[str], None] = print,
) -> Iterator[list[Subject]]:
    """Starts a process for each backend, then one for the reference.

    Arguments and errors are those of `bench`. The reference begins with the
    weights of the first backend.
    """
    if precision not in PRECISIONS:
        raise SpecError(
            f"--precision: must be one of {', '.join(PRECISIONS)}. "
            f"Received: {precision}"
        )
    for backend in backends:
        refuse_backend("--backend", backend)
    if reference is not None and not Path(reference).exists():
        raise InputMissingError(f"--reference: {reference} does not exist")
    seed = seed_option(seed)
    backends = backends or [b for b in BACKENDS if importlib.util.find_spec(b)]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="kresnet-bench-")
        )
        fields = {
            "spec": dump_spec(spec),
            "fields": spec.model_dump(mode="json"),
            "tiny_fields": tiny(spec).model_dump(mode="json"),
            "weights": str(Path(folder, "weights.safetensors")),
            "precision": precision,
            "data_dir": None if data_dir is None else os.fspath(data_dir),
            "seed": seed,
        }
        subjects: list[Subject] = []

        def start(name: str, program: list[str], **environment: str) -> None:
            # A folder each: every subject writes a losses.csv.
            job = Path(folder, name, "job.json")
            job.parent.mkdir()
            job.write_text(json.dumps(fields), "utf-8")
            notify(f"{spec.name}: preparing {name}")
            subject = Subject(name, [*program, str(job)], environment)
            stack.callback(subject.close)
            subjects.append(subject)

        for backend in backends:
            start(
                backend,
                ["-m", "kresnet.benchmark.worker"],
                KERAS_BACKEND=backend,
                JAX_ENABLE_X64=str(int(precision == "float64")),
            )
        if reference is not None:
            subjects[0].run("save_weights", 0)
            start(REFERENCE, [str(reference)])
        yield subjects


def tiny(spec: Spec) -> Spec:
    """The spec with the least of images, widths and groups of batch norm."""
    model, training = spec.model, spec.training
    side = math.prod(row.place.stride for row in census(model).rows)
    narrow = _common_width(spec)
    norm = model.batch_norm
    per_statistic = norm.images_per_statistic if norm else None
    groups = training.batch_size // per_statistic if per_statistic else 1
    fields = spec.model_dump(mode="json", exclude={"expect"})
    fields["data"]["validation"] = 0
    fields["training"]["batch_size"] = 2 * groups
    fields["model"]["input"] = [side, side, model.input[2]]
    stems = [fields["model"]["stem"]] if model.stem else []
    for part in (*stems, *fields["model"]["stages"]):
        for name in {"width", "output"} & part.keys():
            part[name] //= narrow
    if head := fields["model"]["head"]:
        head["dense"] = [1] * len(head["dense"])
    if group_norm := fields["model"]["group_norm"]:
        group_norm["channels"] = 1
    if per_statistic:
        fields["model"]["batch_norm"]["images_per_statistic"] = 2
    # Not checked: the data set's images have another size.
    return spec.model_copy(
        update={
            "expect": None,
            **{
                name: type(getattr(spec, name)).model_validate(fields[name])
                for name in ("model", "data", "training")
            },
        }
    )


def _common_width(spec: Spec) -> int:
    """The largest number that divides all widths, those of groups too."""
    model = spec.model
    widths = [model.stem.width] if model.stem else []
    for stage in model.stages:
        widths.append(stage.width // getattr(stage, "groups", 1))
        widths.append(getattr(stage, "output", stage.width))
    return math.gcd(*widths)


def _measure(
    subjects: list[Subject],
    iterations: int,
    rounds: int,
    name: str,
    notify: Callable[[str], None],
) -> dict[str, dict[str, list[dict]]]:
    found: dict[str, dict[str, list[dict]]] = {s.name: {} for s in subjects}
    for part in (*CEILINGS, "whole", *(p for p in PARTS if p != "whole")):
        notify(f"{name}: measuring {part}")
        count = iterations * (_TINY if part == "host" else 1)
        for subject in subjects:
            subject.run(part, 2)  # compiles
            found[subject.name][part] = []
        for _ in range(rounds):
            for subject in subjects:
                found[subject.name][part].append(subject.run(part, count))
    return found
