"""Updates on TensorFlow: a chunk of them is one call of one graph."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from kresnet.data import Source
from kresnet.training.loop import loop


def mean_over_parts(
    function: Callable[..., list[tf.Tensor]],
    arguments: Sequence[tf.Tensor],
    parts: int,
) -> list[tf.Tensor]:
    """The mean of what a function returns for equal parts of its arguments.

    The function is in the graph once. Its results travel as one vector, since
    a loop over many tensors takes TensorFlow long to prepare. (Adding them up
    inside the loop fails: with a loop in a loop, the temporary variables of
    TensorFlow's graph optimiser meet.)

    Args:
        function: Takes a part of each argument; returns tensors of `floatx`
            whose shapes are known.
        arguments: Tensors with the same first axis.
        parts: How many; divides that axis. The results of all are kept until
            the last is done.
    """
    if parts == 1:
        return function(*arguments)
    shapes: list[tf.TensorShape] = []

    def flat(part):
        results = function(*part)
        shapes[:] = [result.shape for result in results]
        return tf.concat([_reshaped(result, [-1]) for result in results], 0)

    vectors = tf.map_fn(
        flat,
        [
            tf.reshape(argument, (parts, -1, *argument.shape[1:]))
            for argument in arguments
        ],
        fn_output_signature=keras.config.floatx(),
        # Beside each other they keep more cores busy than one at a time does.
        parallel_iterations=2,
    )
    mean = tf.reduce_mean(vectors, 0)
    sizes = [shape.num_elements() for shape in shapes]
    return [
        _reshaped(part, shape)
        for part, shape in zip(tf.split(mean, sizes), shapes, strict=True)
    ]


def _reshaped(tensor, shape):
    # Most are vectors: scales, offsets, moving averages.
    if len(tensor.shape) == len(shape) == 1:
        return tensor
    return tf.reshape(tensor, shape)


# Passes of TensorFlow's graph optimiser that find nothing to do in a training
# step on a CPU, and take a quarter of the time from the graph to its first run
# (56 layers). All of them are on unless somebody switched them off.
IDLE_ON_CPU = (
    "arithmetic_optimization",
    "layout_optimizer",
    "loop_optimization",
    "remapping",
)


@contextlib.contextmanager
def without_idle_passes() -> Iterator[None]:
    """Inside, functions are called without `IDLE_ON_CPU`; then as before.

    TensorFlow has these options for a whole process only.
    """
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options(
        dict.fromkeys(IDLE_ON_CPU, False)
    )
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options(
            {name: before.get(name, True) for name in IDLE_ON_CPU}
        )


class Steps(loop.Steps):
    """Updates on TensorFlow; `kresnet.training.loop.loop.Steps` says more.

    Each replica of a strategy takes its part of a batch; the loss and the
    gradient are the means of theirs. On a CPU the groups of batch norm go
    through the network by themselves, as on the paper's two GPUs, and the
    gradient is the mean of theirs: no layer has to cut a batch and join it.
    Small groups stay together, as all do on an accelerator.

    Args:
        batch_size: Images in a batch, over all replicas.
        group: Images in a group of batch norm; `None` for a whole batch.

    Attributes:
        smallest_pass: Images; groups of fewer stay together, since passes of
            so few take longer than cutting and joining (results/speed.md).
    """

    smallest_pass = 16
    _mean = staticmethod(tf.reduce_mean)

    def __init__(
        self,
        model: keras.Model,
        source: Source,
        batch_size: int,
        group: int | None,
    ):
        self.batch_size = batch_size
        self.group = group
        self.strategy = model.distribute_strategy
        self.replicas = self.strategy.num_replicas_in_sync
        if self.replicas == 1:
            self.devices = (model.trainable_variables[0].value.device,)
        else:
            self.devices = self.strategy.extended.worker_devices
        self._on_cpu = all("CPU" in device for device in self.devices)
        super().__init__(model, source)
        # Any count, so that no length of a chunk is traced anew; the size of
        # a batch is known: it decides on the fused kernel of batch norm.
        self._do_chunk = self.compiled(self._chunk, None, batch_size)
        self._do_gradients = self.compiled(self._mean_gradients, batch_size)

    def _put(self, array):
        """Returns a copy on each device of this process.

        No variables of a strategy: over several processes it would send them
        from the first one, and cannot send bytes.
        """
        copies = []
        for device in self.devices:
            with tf.device(device):
                copies.append(tf.constant(array))
        return copies

    def run(self, indices, keys, *pixels):
        losses, accuracies = self._do_chunk(indices, keys, *pixels)
        return losses.numpy(), accuracies.numpy()

    def gradients(self, indices, keys, *pixels):
        return self._do_gradients(indices, keys, *pixels)

    def values(self) -> tuple[list[tf.Tensor], ...]:
        """Those of the variables now, trainable and not."""
        return tuple(
            [tf.convert_to_tensor(variable.value) for variable in variables]
            for variables in (
                self.model.trainable_variables,
                self.model.non_trainable_variables,
            )
        )

    def examples(
        self, indices: tf.Tensor, pixels: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Pixels, those handed in or those on the device, and labels."""
        replica = tf.distribute.get_replica_context()
        place = tf.get_static_value(replica.replica_id_in_sync_group)
        own = place % len(self.devices)
        if pixels is None:
            pixels = tf.gather(self.images[own], indices)
        return pixels, tf.gather(self.labels[own], indices)

    @property
    def passes(self) -> int:
        """In how many parts a replica's part of a batch goes through."""
        batch = self.batch_size // self.replicas
        group = self.group or batch
        # One that does not divide the batch is refused by batch norm.
        if not self._on_cpu or group < self.smallest_pass or batch % group:
            return 1
        return batch // group

    def compiled(
        self, function: Callable[..., Any], *shape: int | None
    ) -> Callable[..., Any]:
        """Makes a graph of a function of indices, keys and perhaps pixels.

        The shape is that of the indices.
        """
        draws = len(self.model.inputs) == 3  # keys of iterations too
        signature = [
            tf.TensorSpec(shape, "int32"),
            tf.TensorSpec((*shape, 2) if draws else shape, "uint32"),
        ]
        if self.images is None:
            pixels = self.model.inputs[0].shape[1:]
            signature.append(tf.TensorSpec((*shape, *pixels), "uint8"))
        graph = tf.function(
            function,
            input_signature=signature,
            autograph=False,
            # XLA takes three to four times as long on a CPU.
            jit_compile=False,
        )
        options = (
            without_idle_passes if self._on_cpu else contextlib.nullcontext
        )

        def call(*arrays):
            with options():
                return graph(*map(tf.convert_to_tensor, arrays))

        return call

    def _chunk(self, *batches):
        count = tf.shape(batches[0])[0]
        results = tf.TensorArray(
            keras.config.floatx(), size=count, element_shape=(2,)
        )

        # Outside `strategy.run`: inside, replicas could not exchange.
        def iterate(i, results):
            batch = [x[i] for x in batches]
            result = self._on_replicas(self.update, *batch)
            return i + 1, results.write(i, tf.stack(result))

        _, results = tf.while_loop(
            lambda i, _: i < count,
            iterate,
            (tf.constant(0), results),
            parallel_iterations=1,
        )
        return tf.unstack(results.stack(), axis=1)

    def _mean_gradients(self, *batch):
        return self._on_replicas(
            lambda *part: self._forward_and_backward(*part)[0], *batch
        )

    def _on_replicas(self, function, *arguments):
        """The means of what a function returns for each replica's part."""

        def on_replica():
            context = tf.distribute.get_replica_context()
            place = context.replica_id_in_sync_group
            parts = (
                tf.reshape(x, (self.replicas, -1, *x.shape[1:]))
                for x in arguments
            )
            return function(*(x[place] for x in parts))

        results = self.strategy.run(on_replica)
        return [self.strategy.reduce("MEAN", x, axis=None) for x in results]

    def update(self, *batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One update with a replica's part of a batch: loss and accuracy."""
        gradients, moved, loss, accuracy = self._forward_and_backward(*batch)
        optimizer = self.model.optimizer
        if self.replicas > 1:
            if limit := optimizer.global_clipnorm:
                # Keras would bound every replica's own gradient.
                context = tf.distribute.get_replica_context()
                mean = context.all_reduce("MEAN", gradients)
                gradients, _ = tf.clip_by_global_norm(mean, limit)
            # The optimiser sums over the replicas.
            gradients = [each / self.replicas for each in gradients]
        optimizer.apply(gradients, self.model.trainable_variables)
        for variable, value in moved:
            variable.assign(value)
        return loss, accuracy

    def _forward_and_backward(self, *batch):
        """Gradients, variables that move with values, loss, accuracy."""
        trainable, non_trainable = self.values()
        moving: list[int] = []

        def run(indices, keys, pixels=None):
            pixels, labels = self.examples(indices, pixels)
            with tf.GradientTape() as tape:
                tape.watch(trainable)
                loss, (logits, after) = self.loss(
                    trainable, non_trainable, pixels, keys, labels
                )
            # Nothing else: a mean of equal numbers may be another number.
            moving[:] = [
                i for i, old in enumerate(non_trainable) if after[i] is not old
            ]
            hits = tf.argmax(logits, 1, output_type=labels.dtype) == labels
            accuracy = tf.reduce_mean(tf.cast(hits, loss.dtype))
            moved = [after[i] for i in moving]
            return [*tape.gradient(loss, trainable), *moved, loss, accuracy]

        *results, loss, accuracy = mean_over_parts(run, batch, self.passes)
        variables = [self.model.non_trainable_variables[i] for i in moving]
        gradients, moved = results[: len(trainable)], results[len(trainable) :]
        pairs = list(zip(variables, moved, strict=True))
        return gradients, pairs, loss, accuracy
