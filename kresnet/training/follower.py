"""What a process other than the first of a team does: train along."""

from collections.abc import Callable

from kresnet.callbacks import (
    IterationCallback,
    WarmUpError,
    next_multiple,
)
from kresnet.machine.memory import out_of_memory_said
from kresnet.machine.place import place_team
from kresnet.machine.signals import Signals
from kresnet.machine.team import Team
from kresnet.network import adapt_transforms
from kresnet.records.identity import Identity
from kresnet.spec import Spec
from kresnet.trained.arrays import from_arrays
from kresnet.training.assembly import make_schedule
from kresnet.training.loop.loop import make_steps, train_in_chunks
from kresnet.training.options import Options
from kresnet.training.preparation import prepare
from kresnet.training.team import hear_start, told


class Station(IterationCallback):
    """Ends chunks where one of process 0's callbacks does."""

    def __init__(self, every: int, last: int):
        super().__init__()
        self.every = every
        self.last = last

    def next_due(self, iteration):
        """The next multiple."""
        return next_multiple(iteration, self.every, self.last)


def follow(
    team: Team,
    spec: Spec,
    seed: int,
    options: Options,
    notify: Callable[[str], None],
) -> None:
    """Trains along with process 0, and writes nothing.

    Args:
        team: The processes; this one is not the first.
        spec: What to run.
        seed: Of initial weights, order and draws.
        options: How to run; the same as on process 0, but for folders.
        notify: Told, in words, what goes on.

    Raises:
        KresnetError: Process 0 ended, or another process is gone.
    """
    go, newest = hear_start(team)
    if not go:
        notify(f"process {team.index}: already finished")
        return
    training = spec.training
    last = training.iterations
    first = newest.iteration if newest else 0
    identity = Identity.of(spec, seed, precision=options.computed_in)
    prepared = prepare(spec, identity, options, place_team(team, spec), notify)
    agreement, model = prepared.agreement, prepared.assembly.model
    schedule = make_schedule(training)
    with told(agreement):
        if newest:
            from_arrays(model.weights, newest.weights)
            from_arrays(model.optimizer.variables, newest.optimizer)
            schedule.set_state(newest.state["schedule"])
        else:
            transforms = prepared.assembly.transforms
            adapt_transforms(transforms, prepared.train_images())
    intervals = (
        training.evaluate_every,
        options.checkpoint_every,
        *(each.every for each in options.measured),
    )
    callbacks = [
        agreement,
        schedule,
        *(Station(every, last) for every in intervals if every),
    ]
    me = f"process {team.index} of {team.count}"
    notify(f"{me}: training along from iteration {first}")
    with team.watch(), out_of_memory_said(me, training.batch_size):
        try:
            if first < last:
                steps = make_steps(
                    model,
                    spec,
                    prepared.data.train_images,
                    prepared.data.train_labels,
                )
                with Signals(agreement):
                    train_in_chunks(
                        steps,
                        prepared.order,
                        first,
                        last,
                        callbacks,
                        lambda: agreement.pace,
                    )
        except WarmUpError:
            pass  # process 0 has seen it too and will end
        agreement.exchange()
        team.leave()
