"""One run of a spec, from the first iteration or from where it stopped."""

import datetime
import os
import time
from collections.abc import Sequence
from pathlib import Path

import keras
from rich.console import Console

from kresnet import measures
from kresnet.callbacks import (
    IterationSchedule,
    NonFiniteLoss,
    NonFiniteLossError,
    Throughput,
    WarmUp,
    WarmUpError,
)
from kresnet.census import census
from kresnet.data import Order, load_dataset, split_train_validation
from kresnet.errors import DivergedError, SpecError, StoppedError
from kresnet.network import (
    adapt_transforms,
    build_model,
    build_transforms,
    inference_model,
    training_model,
)
from kresnet.spec import (
    Spec,
    differing_fields,
    dump_spec,
    load_spec,
    spec_digest,
)
from kresnet.training.checkpoints import Checkpoints
from kresnet.training.chunks import chunk_model_class, chunks
from kresnet.training.environment import (
    hardware,
    make_deterministic,
    versions,
)
from kresnet.training.events import Events
from kresnet.training.metrics_log import MetricsLog
from kresnet.training.optimizer import CoupledSGD
from kresnet.training.progress import ProgressBar
from kresnet.training.run_folder import RunFolder
from kresnet.training.saver import NonFiniteWeightsError, Saver, Signals
from kresnet.training.state import from_arrays


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
    """
    if not isinstance(spec, Spec):
        spec = load_spec(spec, overrides)
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
    console = console or Console(stderr=True)
    # Weights and momenta, four bytes each, and two checkpoints of them.
    needed = 2 * 8 * census(spec.model).parameters
    with RunFolder(Path(out), needed) as folder:
        if _already_finished(folder, spec, seed, console):
            return folder.path
        experiment = Experiment(
            folder, spec, seed, data_dir, checkpoint_every, console
        )
        experiment.run()
    return folder.path


def _already_finished(folder, spec, seed, console) -> bool:
    """Whether nothing is left to do; refuses another experiment's folder."""
    info = folder.read_info()
    if info is None:
        return False
    differences = differing_fields(load_spec(folder.spec), spec)
    if info["seed"] != seed:
        differences.append(f"seed: {info['seed']} -> {seed}")
    if differences:
        raise SpecError(
            f"{folder.path}: holds a run of another experiment; name another "
            "folder with --out. What differs:\n  " + "\n  ".join(differences)
        )
    if info["status"] == "finished":
        console.print(
            f"{folder.path}: already finished; name another folder with --out "
            "to run it again",
            highlight=False,
        )
        return True
    return False


class Experiment:
    """The parts of one run, put together.

    Args:
        folder: The run's folder, locked.
        spec: What to run.
        seed: Of initial weights, order and draws.
        data_dir: Where prepared data sets are.
        checkpoint_every: Iterations between checkpoints.
        console: For progress and notices.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        seed: int,
        data_dir: str | os.PathLike[str] | None,
        checkpoint_every: int,
        console: Console,
    ):
        self.folder = folder
        self.spec = spec
        self.seed = seed
        self.console = console
        self.checkpoints = Checkpoints(folder.checkpoints, self.notify)
        make_deterministic(seed)
        self.data = load_dataset(spec.data.dataset, data_dir)
        self.train_indices, self.validation_indices = split_train_validation(
            len(self.data.train_images), spec.data.validation
        )
        self._build()
        self._make_callbacks(checkpoint_every)

    def notify(self, text: str) -> None:
        """Says something to the user."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _build(self):
        spec = self.spec
        self.transforms = build_transforms(spec.data, spec.model.input)
        network = build_model(spec.model, self.seed)
        self.model = training_model(
            self.transforms, network, chunk_model_class()
        )
        self.inference = inference_model(self.transforms, network)
        training = spec.training
        optimizer = CoupledSGD(
            training.learning_rate.start,
            training.momentum,
            training.weight_decay,
            training.decay_batch_norm,
            training.decay_biases,
        )
        # XLA on a CPU takes three to four times as long in TensorFlow; JAX
        # has nothing else.
        self.model.compile(
            optimizer, jit_compile=keras.backend.backend() == "jax"
        )
        optimizer.build(self.model.trainable_variables)

    def _make_callbacks(self, checkpoint_every):
        training = self.spec.training
        rate = training.learning_rate
        warm_up = training.warm_up
        self.schedule = IterationSchedule(
            rate.start,
            rate.divide_by,
            rate.at,
            WarmUp(**warm_up.model_dump()) if warm_up else None,
            self.notify,
        )
        self.throughput = Throughput()
        held_out = self.validation_indices
        self.metrics = MetricsLog(
            self.folder.metrics,
            training.evaluate_every,
            training.iterations,
            self.schedule,
            self.inference,
            self.data.train_images[held_out],
            self.data.train_labels[held_out],
            self.throughput,
        )
        self.progress = ProgressBar(
            self.console,
            training.iterations,
            training.batch_size,
            self.schedule,
            self.throughput,
        )
        self.saver = Saver(
            self.checkpoints,
            checkpoint_every,
            training.iterations,
            spec_digest(self.spec),
            self.metrics,
            self.throughput,
            {"schedule": self.schedule, "metrics": self.metrics},
        )

    def run(self) -> None:
        """Trains from where the run is, measures, and writes run.json."""
        newest = self.checkpoints.newest()
        if newest:
            self.saver.restore(self.model, newest)
            self.notify(
                f"{self.folder.path}: continuing at iteration "
                f"{newest.iteration} of {self.spec.training.iterations}"
            )
        else:
            adapt_transforms(
                self.transforms,
                self.data.train_images[self.train_indices],
            )
            self.metrics.start()
        first = newest.iteration if newest else 0
        self.info = {
            **(self.folder.read_info() or {"cpu_seconds": 0.0, "seconds": 0.0}),
            "status": "running",
            "name": self.spec.name,
            "spec_digest": spec_digest(self.spec),
            "seed": self.seed,
            "iteration": first,
            "data_fingerprint": self.data.fingerprint,
            "versions": versions(),
            "hardware": hardware(),
            "started": _now(),
        }
        self.folder.write_spec(dump_spec(self.spec))
        self.folder.write_info(self.info)
        self._fit(first)
        self._finish()

    def _fit(self, first):
        training = self.spec.training
        if first == training.iterations:
            return
        self.model.hold(self.data.train_images, self.data.train_labels)
        events = Events(self.folder.events, first, self.notify)
        self.metrics.listeners = (events,)
        callbacks = [
            self.throughput,
            self.schedule,
            NonFiniteLoss(),
            self.metrics,
            self.progress,
            self.saver,
        ]
        order = Order(self.train_indices, training.batch_size, self.seed)
        steps = chunks(
            order,
            first,
            training.iterations,
            callbacks,
            lambda: self.throughput.iterations_per_second,
        )
        started = time.perf_counter(), time.process_time()
        try:
            with self.progress, Signals(self.saver):
                self.model.fit(
                    steps, callbacks=callbacks, shuffle=False, verbose=0
                )
        except StoppedError:
            self._record("stopped", started)
            raise
        except (
            NonFiniteLossError,
            NonFiniteWeightsError,
            WarmUpError,
        ) as error:
            self._diverged(error, started)
        finally:
            events.close()
        self._record("running", started)

    def _record(self, status, started, **more):
        """Brings run.json up to date with what was done since `started`."""
        speed = self.throughput
        images = speed.measured_iterations * self.spec.training.batch_size
        self.info.update(
            status=status,
            iteration=self.saver.iteration,
            seconds=self.info["seconds"] + time.perf_counter() - started[0],
            cpu_seconds=self.info["cpu_seconds"]
            + time.process_time()
            - started[1],
            warm_up_ended_at=self.schedule.warm_up_ended_at,
            images_per_second=images / speed.seconds if images else None,
            cpu_seconds_per_1000_images=1_000 * speed.cpu_seconds / images
            if images
            else None,
            cpu_seconds_to_first_iteration=speed.cpu_seconds_to_first_iteration,
            **more,
        )
        self.folder.write_info(self.info)

    def _diverged(self, error, started):
        kept = self.checkpoints.iterations()
        message = (
            f"diverged: {error}; learning rate {self.schedule.rate:g}. "
            + (
                f"The checkpoint of iteration {kept[-1]} is intact"
                if kept
                else "There was no checkpoint yet"
            )
        )
        self.folder.write_diagnosis(
            {
                "message": str(error),
                "iteration": getattr(error, "iteration", self.saver.iteration),
                "learning_rate": self.schedule.rate,
                "last_losses": self.progress.last_losses(),
            }
        )
        self._record("diverged", started, message=message)
        raise DivergedError(message) from error

    def _finish(self):
        data, results = self.data, {}
        logits = measures.predict_logits(self.inference, data.test_images)
        results["test_error"] = measures.error(logits, data.test_labels)
        results["test_loss"] = measures.cross_entropy(logits, data.test_labels)
        results["best_validation"] = self._best_validation()
        self.info.update(
            status="finished",
            iteration=self.spec.training.iterations,
            finished=_now(),
            **results,
        )
        self.folder.write_info(self.info)

    def _best_validation(self):
        """Test error at the best iteration, kept apart from the last one's."""
        best = self.metrics.best
        if best is None:
            return None
        at_best = self.checkpoints.load(best["iteration"])
        from_arrays(self.model.weights, at_best.weights)
        logits = measures.predict_logits(self.inference, self.data.test_images)
        return {
            **best,
            "test_error": measures.error(logits, self.data.test_labels),
        }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
