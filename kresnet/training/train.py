"""The entry: train a spec, continue its run, or find it finished."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from kresnet.architecture import StageFields
from kresnet.errors import SpecError
from kresnet.files import refuse_empty_name
from kresnet.machine.facts import make_gpus_deterministic
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.machine.surroundings import check_settings, refuse_limits
from kresnet.machine.team import Team, join
from kresnet.notices import notifier, standard_error
from kresnet.records.folder import RunFolder
from kresnet.seeds import seed_option
from kresnet.spec import Spec, load_spec
from kresnet.training.begin_with import (
    BeginWith,
    open_begin_with,
    open_deepening,
)
from kresnet.training.experiment import Experiment
from kresnet.training.options import Options


@without_retracing_warnings()
def train(
    spec: Spec | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overrides: Sequence[str] = (),
    stages: Sequence[type[StageFields]] = (),
    seed: int = 0,
    begin_with: str | os.PathLike[str] | None = None,
    keep_transforms: bool = False,
    deepen: str | os.PathLike[str] | None = None,
    console: Console | None = None,
    **options: Any,
) -> Path:
    """Trains a spec, or continues the run in `out`, or finds it finished.

    Args:
        spec: A spec, the path of one, or the name of a shipped one.
        out: The run's folder. Defaults to `results/<name>/seed<seed>`.
        overrides: Changes such as `"training.iterations=1500"`; they need an
            `out` of their own.
        stages: Kinds of stages of your own; see `load_spec`.
        seed: Integer in [0, 2**63): initial weights, order and draws.
        begin_with: Folder of a run or an import of the same network, but for
            the size of the classifier: begin with its weights. Defaults to
            none, weights drawn from the seed.
        keep_transforms: Take the statistics of its transforms, too, and do
            not adapt them to the training images.
        deepen: Folder of a finished run of a shallower plain net: begin with
            its weights and added blocks that are the identity. Defaults to
            none, weights drawn from the seed.
        console: For progress and notices. Defaults to standard error.
        **options: How to run, such as `devices="cpu:2"`: the attributes of
            `kresnet.training.Options`, which says what they do.

    Returns:
        The run's folder.

    Raises:
        KresnetError: One of the errors of `kresnet.errors`; the run folder
            keeps everything up to the last checkpoint.
        TypeError: There is no such option.
        ValueError: `overrides` or `stages` for a spec that is loaded already.
    """
    chosen = Options.of(**options)
    refuse_limits()  # before there is a folder
    check_settings(chosen.precision)
    membership = chosen.membership
    console = console or standard_error()
    notify = notifier(console)
    seed = seed_option(seed)
    if not isinstance(spec, Spec):
        spec = load_spec(spec, overrides, notify, stages=stages)
    elif overrides or stages:
        raise ValueError(
            "`overrides` and `stages` go with the path or name of a spec"
        )
    refuse_empty_name(out)
    if out is None:
        if overrides:
            raise SpecError(
                "a run with --set is not the spec's own: name its folder with "
                "--out"
            )
        out = Path("results") / spec.name / f"seed{seed}"
    if deepen is not None and begin_with is not None:
        raise SpecError("--deepen: goes without --begin-with")
    if keep_transforms and begin_with is None:
        raise SpecError("--keep-transforms: goes with --begin-with")

    if chosen.deterministic:
        make_gpus_deterministic()
    begun: BeginWith | None = None
    if deepen is not None:
        begun = open_deepening(deepen, spec)
    elif begin_with is not None:
        begun = open_begin_with(begin_with, spec, keep_transforms)
    folder = RunFolder(Path(out), chosen.wait_for_lock)
    team = join(membership, chosen.devices, notify) if membership else Team()
    Experiment(folder, spec, seed, chosen, team, console, begun).run()
    return folder.path
