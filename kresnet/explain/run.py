"""What a run adds to its spec: how far it came, and on what."""

from collections.abc import Iterator

from kresnet.explain.experiments import Experiments
from kresnet.explain.point import DEVIATES, EQUIVALENT, Point, equal_if
from kresnet.records.run import RunRecord
from kresnet.spec import Spec

FLOAT32 = "float32"


def run_points(
    spec: Spec, record: RunRecord, paper: Experiments
) -> Iterator[Point]:
    """Compares what run.json says with the paper."""
    to_the_end = record.iteration == spec.training.iterations
    done = record.status == "finished" and to_the_end
    yield Point(
        "the run's end",
        "trained to the end of the schedule",
        progress(spec, record),
        equal_if(done),
    )
    if spec.training.warm_up is not None:
        ended = record.warm_up_ended_at
        yield Point(
            "the warm-up's end",
            "after about 400 iterations (110 layers)",
            "not reached" if ended is None else f"after {ended:,} iterations",
            # The rule is the paper's; when it fires is an observation.
            DEVIATES if ended is None else EQUIVALENT,
        )
    precision = record.identity.precision
    yield Point(
        "precision",
        "that of its system (Caffe): float32",
        f"convolutions in {precision}"
        if precision == "bfloat16"
        else precision,
        equal_if(precision == FLOAT32),
    )
    if deepened := record.deepened:
        yield Point(
            "initial weights",
            "drawn: all nets from scratch",
            f"those of {deepened.name} at iteration"
            f" {deepened.iteration:,}, and added blocks that"
            " are the identity: the constructed solution of section 1",
            DEVIATES,
            source="sections 3.4 and 4.2",
        )
    if begun := record.begun_with:
        yield Point(
            "initial weights",
            "drawn: all nets from scratch",
            f"those of {begun.folder}, {begun.name}"
            + (f" at iteration {begun.iteration:,}" if begun.iteration else "")
            + (f"; drawn: {', '.join(begun.drawn)}" if begun.drawn else ""),
            DEVIATES,
            source="section 3.4",
        )
    yield Point("machine", paper.machine, machine(record), EQUIVALENT)
    yield Point("seed", "not stated", f"{record.identity.seed}", EQUIVALENT)


def progress(spec: Spec, record: RunRecord) -> str:
    """Writes "stopped, at iteration 600 of 64,000"."""
    return (
        f"{record.status}, at iteration {record.iteration:,}"
        f" of {spec.training.iterations:,}"
    )


def machine(record: RunRecord) -> str:
    """Writes "tensorflow 2.21.0 on CPU"."""
    backend = record.versions.get("backend", "an unknown backend")
    version = record.versions.get(backend, "")
    devices = ", ".join(record.hardware.devices) or "unknown devices"
    return f"{backend} {version}".strip() + f" on {devices}"
