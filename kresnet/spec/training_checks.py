"""What must hold between the fields of the training.

A check is a generator of problems over a `Spec` or a partial view of one.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.documents import Problem

if TYPE_CHECKING:
    from kresnet.spec.schema import Spec

_AT = ("training", "learning_rate", "at")
_ITERATIONS = ("training", "iterations")
_STATISTIC = ("model", "batch_norm", "images_per_statistic")
_WEIGHT_DECAY = ("training", "weight_decay")


def statistics_divide_batch(spec: "Spec") -> Iterator[Problem]:
    """A batch is a whole number of batch-norm groups."""
    group = spec.model.batch_norm.images_per_statistic
    batch = spec.training.batch_size
    if group is not None and batch % group:
        below = batch - batch % group
        nearest = f"{below} or {below + group}" if below else f"{group}"
        yield Problem(
            ("training", "batch_size"),
            f"must be a multiple of model.batch_norm.images_per_statistic,"
            f" {group}; nearest: {nearest}",
            also=(_STATISTIC,),
        )


def drops_rise(spec: "Spec") -> Iterator[Problem]:
    """The learning rate falls at one iteration after the other."""
    at = spec.training.learning_rate.at
    for i, (before, after) in enumerate(itertools.pairwise(at), start=1):
        if after <= before:
            yield Problem((*_AT, i), f"must be above {before}, the one before")


def drops_come_in_time(spec: "Spec") -> Iterator[Problem]:
    """A drop after the last iteration would never happen."""
    iterations = spec.training.iterations
    for i, drop in enumerate(spec.training.learning_rate.at):
        if drop >= iterations:
            yield Problem(
                (*_AT, i),
                f"must be below training.iterations, {iterations}",
                also=(_ITERATIONS,),
            )


def warm_up_can_end(spec: "Spec") -> Iterator[Problem]:
    """The window fits below the limit, and the limit into the run."""
    warm_up = spec.training.warm_up
    if warm_up is None:
        return
    path = ("training", "warm_up", "limit")
    if warm_up.limit < warm_up.over:
        yield Problem(
            path,
            f"must be at least {warm_up.over}, the batches of `over`, or the"
            " warm-up could not end",
            also=((*path[:-1], "over"),),
        )
    if warm_up.limit > spec.training.iterations:
        yield Problem(
            path,
            f"must be at most training.iterations, {spec.training.iterations},"
            " or it would never apply",
            also=(_ITERATIONS,),
        )


def decay_is_decided_by_its_rate(spec: "Spec") -> Iterator[Problem]:
    """Fields that say what is decayed would be ignored without decay."""
    training = spec.training
    if training.weight_decay != 0:
        return
    for field in ("decay_batch_norm", "decay_biases"):
        if getattr(training, field):
            yield Problem(
                ("training", field),
                "must be false or left out: training.weight_decay is 0, so"
                " nothing is decayed",
                also=(_WEIGHT_DECAY,),
            )


TRAINING_CHECKS = (
    statistics_divide_batch,
    drops_rise,
    drops_come_in_time,
    warm_up_can_end,
    decay_is_decided_by_its_rate,
)
