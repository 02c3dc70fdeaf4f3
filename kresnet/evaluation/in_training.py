"""A network that takes its batch-norm statistics, where nothing is trained."""

import keras


class InTraining(keras.layers.Layer):
    """Runs a network as in training, although `predict` says otherwise.

    As a model of its own, run by `predict_on_batch`, it is compiled: no more
    than a few layers' outputs are in memory at once.
    """

    def __init__(self, network: keras.Model):
        super().__init__(autocast=False)  # the network's layers cast
        self.network = network

    def call(self, images):
        """Images to logits."""
        return self.network(images, training=True)

    def compute_output_shape(self, input_shape):
        """The network's."""
        return self.network.compute_output_shape(input_shape)


def observer(network: keras.Model) -> keras.Model:
    """A model with the layers of a network, run as in training."""
    return keras.Model(network.input, InTraining(network)(network.input))
