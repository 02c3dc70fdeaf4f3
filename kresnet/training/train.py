"""The entry: train a spec, continue its run, or find it finished."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from kresnet.census import census
from kresnet.errors import SpecError
from kresnet.spec import Spec, differing_fields, load_spec
from kresnet.training.experiment import Experiment
from kresnet.training.run_folder import RunFolder


def train(
    spec: Spec | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overrides: Sequence[str] = (),
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1_000,
    console: Console | None = None,
) -> Path:
    """Trains a spec, or continues the run in `out`, or finds it finished.

    Args:
        spec: A spec, the path of one, or the name of a shipped one.
        out: The run's folder. Defaults to `results/<name>/seed<seed>`.
        overrides: Changes such as `"training.iterations=1500"`; they need an
            `out` of their own.
        seed: Integer in [0, 2**63): initial weights, order and draws.
        data_dir: Where prepared data sets are; see `load_dataset`.
        checkpoint_every: Iterations between checkpoints.
        console: For progress and notices. Defaults to standard error.

    Returns:
        The run's folder.

    Raises:
        KresnetError: One of the errors of `kresnet.errors`; the run folder
            keeps everything up to the last checkpoint.
        ValueError: `overrides` for a spec that is loaded already.
    """
    console = console or Console(stderr=True)
    if not isinstance(spec, Spec):
        spec = load_spec(
            spec, overrides, lambda text: console.print(text, markup=False)
        )
    elif overrides:
        raise ValueError("`overrides` go with the path or name of a spec")
    if out is None:
        if overrides:
            raise SpecError(
                "a run with --set is not the spec's own: name its folder with "
                "--out"
            )
        out = Path("results") / spec.name / f"seed{seed}"
    if not 0 <= seed < 2**63:
        raise SpecError(f"--seed: must be in [0, 2**63). Received: {seed}")
    if checkpoint_every < 1:
        raise SpecError(
            "--checkpoint-every: must be at least 1. Received: "
            f"{checkpoint_every}"
        )
    # Weights and momenta, four bytes each, and two checkpoints of them.
    needed = 2 * 8 * census(spec.model).parameters
    with RunFolder(Path(out), needed) as folder:
        info = folder.read_info()
        if info is not None:
            _refuse_other_experiment(folder, info, spec, seed)
        if info is not None and info["status"] == "finished":
            console.print(
                f"{folder.path}: already finished; name another folder with "
                "--out to run it again",
                highlight=False,
                soft_wrap=True,
            )
        else:
            Experiment(
                folder, spec, seed, data_dir, checkpoint_every, console
            ).run()
    return folder.path


def _refuse_other_experiment(folder, info, spec, seed) -> None:
    differences = differing_fields(load_spec(folder.spec), spec)
    if info["seed"] != seed:
        differences.append(f"seed: {info['seed']} -> {seed}")
    if differences:
        raise SpecError(
            f"{folder.path}: holds a run of another experiment; name another "
            "folder with --out. What differs:\n  " + "\n  ".join(differences)
        )
