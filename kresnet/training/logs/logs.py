"""Everything that a run leaves in its folder."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kresnet import sealed_folder
from kresnet.data import Source
from kresnet.errors import BadDataError, DivergedError
from kresnet.machine.surroundings import FLOATX
from kresnet.records.checkpoints import Checkpoint
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.spec import Spec, dump_spec
from kresnet.trained.arrays import to_arrays
from kresnet.training.logs.events import Events
from kresnet.training.logs.log import CsvLog, LossLog, Measuring
from kresnet.training.logs.metrics import COLUMNS, MetricsLog
from kresnet.training.logs.progress import ProgressLine
from kresnet.training.loop.keras_callbacks import KerasCallbacks
from kresnet.training.options import Options
from kresnet.training.record import Record, speed
from kresnet.training.resuming import open_checkpoints
from kresnet.training.saving import NonFiniteWeightsError, Saver
from kresnet.training.team import Agreement


class Logs:
    """What process 0 alone has: the folder with its record, rows, checkpoints.

    `open`, `begin_record`, `make_callbacks` and `begin` come in this order,
    once the folder is locked; `close` at the end. `agreement` knows a signal
    that came; `progress` has the schedule and the throughput.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        options: Options,
        agreement: Agreement,
        progress: ProgressLine,
        notify: Callable[[str], None],
    ):
        self.folder = folder
        self.spec = spec
        self.options = options
        self.agreement = agreement
        self.progress = progress
        self.schedule = progress.schedule
        self.notify = notify
        self.newest: Checkpoint | None = None
        self.events: Events | None = None

    def open(self, identity: Identity) -> Checkpoint | None:
        """The checkpoint to go on from; see `open_checkpoints`."""
        if keras.config.floatx() == "float64":
            self.notify(f"{self.folder.path}: in float64, which is {FLOATX}")
        self.checkpoints, self.newest = open_checkpoints(
            self.folder, self.spec, identity, self.notify
        )
        return self.newest

    def begin_record(
        self,
        identity: Identity,
        data: Source,
        conditions: dict[str, object],
        begun: dict[str, Any],
    ) -> None:
        """Begins run.json, or compares it with what would go on.

        The identity is that of the run with its data; the bits of the result
        depend on the conditions. `begun` are fields that say what the run
        began with. Other data are a BadDataError.
        """
        if self.newest and self.newest.identity.differences(identity):
            raise BadDataError(
                f"{self.folder.path}: was begun on other data than the"
                f" {data.found}"
            )
        self.checkpoints.identity = identity
        self.record = Record(
            self.folder,
            self.spec.name,
            identity,
            conditions,
            data.class_names,
            data.versions,
        )
        if self.newest:
            self.record.compare_conditions(self.options.strict, self.notify)
        for name, value in begun.items():
            if getattr(self.record.now, name) is None:
                self.record.change(**{name: value})

    def make_callbacks(
        self,
        validate: Callable[[], dict[str, float]],
        measuring: Sequence[Measuring],
        common: Sequence[keras.callbacks.Callback],
    ) -> list[keras.callbacks.Callback]:
        """Makes the callbacks that write, and puts them among the others.

        For `validate` see `MetricsLog`.
        """
        training, throughput = self.spec.training, self.progress.throughput
        every, last = training.evaluate_every, training.iterations
        folder = self.folder
        users = KerasCallbacks(self.options.callbacks, every, last, throughput)
        first = self.newest.iteration if self.newest else 0
        self.events = Events(
            folder.events, first, self.notify, folder.check_lock
        )
        self.losses = LossLog(folder.losses, folder.check_lock)
        self.metrics = MetricsLog(
            CsvLog(folder.metrics, COLUMNS, folder.check_lock),
            every,
            last,
            self.schedule,
            validate,
            throughput,
            (self.progress, self.events, users),
        )
        self.remembered: dict[str, Any] = {
            "schedule": self.schedule,
            "metrics": self.metrics,
            "losses": self.losses,
        }
        self._files = [self.metrics.log, self.losses.log]
        for each in measuring:
            self.remembered |= each.logs
            self._files += each.logs.values()
        self.saver = Saver(
            self._save,
            self.options.checkpoint_every,
            last,
            self.metrics,
            throughput,
            self.agreement,
        )
        # Losses come before what may end a run: its last ones are wanted.
        return [
            self.losses,
            *common,
            self.metrics,
            *measuring,
            users,
            self.saver,
        ]

    def begin(self) -> None:
        """Writes run.json and spec.yaml, once the model has its weights."""
        if not self.newest:
            # Rows that a run left which had no checkpoint yet.
            for file in self._files:
                file.set_state(None)
        # run.json first: a folder that has none is not a run's.
        iteration = self.newest.iteration if self.newest else 0
        self.record.update("running", iteration)
        self.folder.write_spec(dump_spec(self.spec))

    def update(self, status: str, **more) -> None:
        """Writes run.json: the status, what was measured, and `more`."""
        self.record.update(
            status,
            self.saver.iteration,
            warm_up_ended_at=self.schedule.warm_up_ended_at,
            **speed(self.progress.throughput, self.spec.training.batch_size),
            **more,
        )

    def _save(self, iteration: int, model: keras.Model) -> None:
        weights = to_arrays(model.weights)
        for path, array in weights.items():
            if not np.isfinite(array).all():
                raise NonFiniteWeightsError(
                    f"{path} is not finite after iteration {iteration}"
                )
        checkpoint = Checkpoint(
            iteration=iteration,
            weights=weights,
            optimizer=to_arrays(model.optimizer.variables),
            state={
                name: each.get_state() for name, each in self.remembered.items()
            },
            identity=self.record.now.identity,
        )
        best = self.metrics.best
        self.checkpoints.save(checkpoint, {best["iteration"]} if best else None)
        self.update("running", checkpoint=iteration)

    def diverged(self, error: RuntimeError) -> DivergedError:
        """Writes the diagnosis and losses; checkpoints stay as they are."""
        rate = self.schedule.rate
        iteration = getattr(error, "iteration", self.saver.iteration)
        self.folder.write_diagnosis(
            {
                "message": str(error),
                "iteration": iteration,
                "learning_rate": rate,
                # JSON has no NaN.
                "last_losses": [
                    loss if math.isfinite(loss) else str(loss)
                    for loss in self.progress.last_losses()
                ],
            }
        )
        self.losses.flush()
        message = f"{error}; learning rate {rate:g}"
        self.update("diverged", message=message)
        kept = self.checkpoints.iterations()
        state = (
            f"The checkpoint of iteration {kept[-1]} is intact"
            if kept
            else "There was no checkpoint yet"
        )
        return DivergedError(
            f"{self.folder.path}: diverged: {message}. {state}"
        )

    def finish(self, test: Callable[..., dict[str, float]]) -> None:
        """Writes the results on the test images, at the end and at the best.

        `test` measures the weights that it is given, or those of the model.
        """
        self.losses.flush()
        self.notify("evaluating on the test images")
        results = test()
        best = self.metrics.best
        if best is not None:
            try:
                weights = self.checkpoints.load(best["iteration"]).weights
                error = test(weights)["test_error"]
            except sealed_folder.DamagedError as damage:
                self.notify(f"no test error at the best validation: {damage}")
                error = None
            best = {**best, "test_error": error}
        last = self.spec.training.iterations
        self.record.update("finished", last, **results, best_validation=best)
        self.folder.remove_diagnosis()

    def close(self) -> None:
        """Closes what is open."""
        if self.events:
            self.events.close()
