"""What a run adds to its spec: how far it came, and on what."""

from collections.abc import Iterator
from typing import Any

from kresnet.explain.point import DEVIATES, EQUIVALENT, Point, equal_if
from kresnet.spec import Spec

FLOAT32 = "float32"


def run_points(spec: Spec, info: dict[str, Any]) -> Iterator[Point]:
    """Compares the contents of run.json with the paper."""
    to_the_end = info.get("iteration") == spec.training.iterations
    done = info.get("status") == "finished" and to_the_end
    yield Point(
        "the run's end",
        "trained to the end of the schedule",
        "section 4.2",
        progress(spec, info),
        equal_if(done),
    )
    if spec.training.warm_up is not None:
        ended = info.get("warm_up_ended_at")
        yield Point(
            "the warm-up's end",
            "after about 400 iterations (110 layers)",
            "section 4.2",
            "not reached"
            if ended is None
            else f"after {_number(ended)} iterations",
            # The rule is the paper's; when it fires is an observation.
            DEVIATES if ended is None else EQUIVALENT,
        )
    yield Point(
        "precision",
        "that of its system (Caffe): float32",
        "section 4.2",
        _computed_in(precision(info)),
        equal_if(precision(info) == FLOAT32),
    )
    if deepened := info.get("deepened"):
        yield Point(
            "initial weights",
            "drawn: all nets from scratch",
            "sections 3.4 and 4.2",
            f"those of {_part(deepened, 'name')} at iteration"
            f" {_number(_part(deepened, 'iteration'))}, and added blocks that"
            " are the identity: the constructed solution of section 1",
            DEVIATES,
        )
    yield Point(
        "machine",
        "Caffe on two GPUs",
        "section 4.2",
        machine(info),
        EQUIVALENT,
    )
    yield Point(
        "seed",
        "not stated",
        "section 4.2",
        f"{info.get('seed')}",
        EQUIVALENT,
    )


def precision(info: dict[str, Any]) -> str:
    """What a run's convolutions were computed in.

    Runs that do not say are older than the choice, and in float32.
    """
    return str(_part(info.get("options"), "precision") or FLOAT32)


def _computed_in(name: str) -> str:
    return name if name == FLOAT32 else f"convolutions in {name}"


def progress(spec: Spec, info: dict[str, Any]) -> str:
    """Writes "stopped, at iteration 600 of 64,000"."""
    return (
        f"{info.get('status')}, at iteration {_number(info.get('iteration'))}"
        f" of {spec.training.iterations:,}"
    )


def machine(info: dict[str, Any]) -> str:
    """Writes "tensorflow 2.21.0 on CPU"."""
    versions, hardware = info.get("versions"), info.get("hardware")
    backend = str(_part(versions, "backend") or "an unknown backend")
    version = _part(versions, backend)
    devices = _part(hardware, "devices")
    named = "unknown devices"
    if isinstance(devices, list) and devices:
        named = ", ".join(map(str, devices))
    return f"{backend} {version or ''}".strip() + f" on {named}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _part(mapping: Any, name: str) -> Any:
    return mapping.get(name) if isinstance(mapping, dict) else None
