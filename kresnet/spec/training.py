"""The training of a spec: section 4.2 of the paper, as fields."""

import itertools
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from kresnet.documents import (
    Expected,
    Fields,
    Flag,
    Integer,
    Number,
    Problem,
    raise_problems,
)

# The paper's longest training, on ImageNet, is 600,000 iterations.
MOST_ITERATIONS = 100_000_000
Iteration = Annotated[Integer, Field(ge=1, le=MOST_ITERATIONS)]
Names = Annotated[
    tuple[str, ...], Expected("a list of names of layers or stages")
]


class LearningRate(Fields):
    """A learning rate divided by the same number at given iterations.

    Iterations count updates from 0; a change applies to the iteration named.

    Reference:
        He et al. 2015, section 4.2: 0.1, divided by 10 at 32k and 48k.
    """

    start: Number = Field(gt=0, le=100, description="Rate at iteration 0.")
    divide_by: Number = Field(
        gt=1, le=1_000, description="Divisor at each iteration of `at`."
    )
    at: Annotated[
        tuple[Iteration, ...], Expected("a list of at most 20 integers, rising")
    ] = Field(
        max_length=20,
        description="Iterations at which the rate is divided, rising and below"
        " `iterations`; an empty list keeps the rate constant.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> "LearningRate":
        raise_problems((_drops_rise,), self)
        return self


class WarmUp(Fields):
    """A lower rate until the training error has begun to fall.

    Or for a number of iterations. After it the schedule of `learning_rate`
    applies, at its own iterations.

    Reference:
        He et al. 2015, section 4.2, on 110 layers: 0.01 until the training
        error is below 80 %. He et al. 2016, arXiv:1603.05027, appendix: 0.01
        for 400 iterations.
    """

    learning_rate: Number = Field(
        default=0.01, gt=0, le=100, description="Rate while warming up."
    )
    until_training_error: Number = Field(
        default=80.0, gt=0, le=100, description="Bound on the error, percent."
    )
    over: Integer = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Batches over which the training error is taken.",
    )
    limit: Iteration | None = Field(
        default=None,
        description="Iterations after which a warm-up that has not ended"
        " stops the run as diverged; needed without `iterations`.",
    )
    iterations: Iteration | None = Field(
        default=None,
        description="Iterations of the warm-up, whatever the error; takes the"
        " place of until_training_error, over and limit.",
    )

    @property
    def longest(self) -> int:
        """The most iterations that it can take."""
        return self.iterations or self.limit or 0

    @model_validator(mode="after")
    def _agrees(self) -> "WarmUp":
        raise_problems((_warm_up_can_end,), self)
        return self


class TrainingSpec(Fields):
    """Stochastic gradient descent with momentum, as the paper did it.

    Reference:
        He et al. 2015, sections 3.4 and 4.2.
    """

    batch_size: Integer = Field(
        ge=1, le=65_536, description="Images in an update, over all devices."
    )
    iterations: Iteration = Field(description="Number of updates.")
    learning_rate: LearningRate
    momentum: Number = Field(ge=0, lt=1, description="Momentum of SGD.")
    nesterov: Flag = Field(
        default=False,
        description="Nesterov's form of momentum; the paper's is not.",
    )
    weight_decay: Number = Field(
        ge=0,
        le=1,
        description="Times the weight, added to the gradient before momentum.",
    )
    decay_batch_norm: Flag = Field(
        default=False, description="Decay scales and offsets of batch norm."
    )
    decay_biases: Flag = Field(
        default=False, description="Decay the classifier's bias."
    )
    warm_up: WarmUp | None = Field(
        default=None, description="A lower rate at the start; null for none."
    )
    gradient_clip: Number | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="Bound on the norm of the whole gradient, before weight"
        " decay is added; null for none, as in the paper.",
    )
    trained: Names | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Layers and stages that are trained, such as fc or conv4_x;"
        " the others keep the weights that the run begins with, and batch norm"
        " its statistics. null: all.",
    )
    evaluate_every: Iteration = Field(
        default=1_000, description="Iterations between rows of metrics.csv."
    )

    @model_validator(mode="after")
    def _agrees(self) -> "TrainingSpec":
        raise_problems(
            (
                _comes_in_time,
                _decay_is_decided_by_its_rate,
                _nesterov_has_momentum,
            ),
            self,
        )
        return self


def _drops_rise(rate: LearningRate) -> Iterator[Problem]:
    """The learning rate falls at one iteration after the other."""
    pairs = itertools.pairwise(rate.at)
    for i, (before, after) in enumerate(pairs, start=1):
        if after <= before:
            yield Problem(("at", i), f"must be above {before}, the one before")


def _warm_up_can_end(warm_up: WarmUp) -> Iterator[Problem]:
    """It has one end, and the window of the error fits below the limit."""
    if warm_up.iterations is not None:
        for field in ("until_training_error", "over", "limit"):
            value = getattr(warm_up, field)
            if value != WarmUp.model_fields[field].default:
                yield Problem(
                    (field,),
                    "must be left out: the warm-up has a number of iterations",
                    also=(("iterations",),),
                )
    elif warm_up.limit is None:
        yield Problem(
            ("limit",),
            "missing; must be an integer from 1 to 100,000,000, or iterations"
            " must be given",
            received=False,
        )
    elif warm_up.limit < warm_up.over:
        yield Problem(
            ("limit",),
            f"must be at least {warm_up.over}, the batches of `over`, or the"
            " warm-up could not end",
            also=(("over",),),
        )


def _comes_in_time(training: TrainingSpec) -> Iterator[Problem]:
    """A drop or a limit after the last iteration would never apply."""
    iterations = training.iterations
    for i, drop in enumerate(training.learning_rate.at):
        if drop >= iterations:
            yield Problem(
                ("learning_rate", "at", i),
                f"must be below training.iterations, {iterations}",
                also=(("iterations",),),
            )
    warm_up = training.warm_up
    if warm_up is not None and warm_up.longest > iterations:
        yield Problem(
            ("warm_up", "iterations" if warm_up.iterations else "limit"),
            f"must be at most training.iterations, {iterations}, or it would"
            " never apply",
            also=(("iterations",),),
        )


def _nesterov_has_momentum(training: TrainingSpec) -> Iterator[Problem]:
    """Without momentum both forms are the same."""
    if training.nesterov and training.momentum == 0:
        yield Problem(
            ("nesterov",),
            "must be false or left out: training.momentum is 0",
            also=(("momentum",),),
        )


def _decay_is_decided_by_its_rate(training: TrainingSpec) -> Iterator[Problem]:
    """Fields that say what is decayed would be ignored without decay."""
    if training.weight_decay != 0:
        return
    for field in ("decay_batch_norm", "decay_biases"):
        if getattr(training, field):
            yield Problem(
                (field,),
                "must be false or left out: training.weight_decay is 0, so"
                " nothing is decayed",
                also=(("weight_decay",),),
            )
