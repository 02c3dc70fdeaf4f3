"""Convolutions whose channels fall into groups."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kresnet")
class GroupedConvolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with `groups`, at a bearable cost on CPUs.

    On a CPU each group is a convolution of its own, and the results are put
    one after the other. XLA, which Keras asks there, took more than thirty
    times as long for the gradients of 8 and of 32 groups. On other devices the
    backend's own grouped convolution is used.

    Arguments and call arguments are those of `keras.layers.Conv2D`, with the
    channels last.

    Reference:
        Xie et al. 2017, section 3 (aggregated transformations).
    """

    def convolution_op(self, inputs, kernel):
        if self.groups == 1 or not _on_cpu():
            return super().convolution_op(inputs, kernel)
        parts = zip(
            ops.split(inputs, self.groups, axis=-1),
            ops.split(kernel, self.groups, axis=-1),
            strict=True,
        )
        made = [
            super(GroupedConvolution, self).convolution_op(*p) for p in parts
        ]
        return ops.concatenate(made, axis=-1)


def _on_cpu() -> bool:
    devices = keras.distribution.list_devices()
    return all(device.startswith("cpu") for device in devices)
