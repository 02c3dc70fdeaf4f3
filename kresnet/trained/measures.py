"""What is computed of logits: loss, errors, probabilities."""

import keras
import numpy as np

from kresnet.data import Images
from kresnet.data.feed import most_batches
from kresnet.machine.surroundings import refuse_limits


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, float64 `(count, classes)`.

    Every row sums to 1. Logits are floats of the same shape.
    """
    logits = np.asarray(logits, "float64")
    # The largest exponent is 0, so nothing overflows.
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def predict_logits(
    model: keras.Model, images: Images | np.ndarray, batch_size: int = 500
) -> np.ndarray:
    """Runs a model over raw pixels, uint8 `(count, height, width, channels)`.

    Returns:
        float64 array, shape `(count, classes)`.

    Raises:
        SpecError: Keras is told to end `predict` early.
    """
    refuse_limits()
    part = most_batches(model.input_shape[1:], batch_size) * batch_size
    # Many batches through one predict: it keeps one compiled function.
    logits = [
        model.predict(images[i : i + part], batch_size=batch_size, verbose=0)
        for i in range(0, len(images), part)
    ]
    none = np.zeros((0, model.output_shape[-1]))  # also makes it float64
    return np.concatenate([none, *logits])


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy in nats.

    Logits are `(count, classes)`, labels integers `(count,)`.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum - shifted[np.arange(len(labels)), labels]))


def error(logits: np.ndarray, labels: np.ndarray, top: int = 1) -> float:
    """Percentage of images whose label is not among the `top` classes.

    Logits are `(count, classes)`, labels integers `(count,)`.
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    # Ties count against us, as does NaN: the label must be among the best.
    better = (~(logits < own)).sum(axis=1) - 1
    return 100.0 * int((better >= top).sum()) / len(labels)
