"""Global settings of Keras and its backend that would change a result.

The dtype policy and the image data format are not among them: layers are built
the same whatever these are.
"""

import keras

from kresnet.errors import SpecError

# Where Keras' floatx comes from, for messages.
FLOATX = "Keras' floatx (keras.config.set_floatx, or floatx in its keras.json)"


def check_settings(precision: str) -> None:
    """Refuses settings under which a run would not be what it says.

    Args:
        precision: Of the convolutions; see `kresnet.training.Options`.

    Raises:
        SpecError: A setting is one of these, or `precision` does not go with
            Keras' floatx.
    """
    check_floatx()
    if precision == "bfloat16" and keras.config.floatx() != "float32":
        raise SpecError(
            f"--precision: bfloat16 needs {FLOATX} to be float32. Received:"
            f" {keras.config.floatx()}"
        )
    if keras.backend.backend() == "tensorflow":
        _check_tensorflow()
    elif keras.distribution.distribution() is not None:
        raise SpecError(
            "--devices: names the devices of a run, and a keras.distribution"
            " must not be set besides"
        )


def check_floatx() -> None:
    """Refuses a floatx that is neither float32 nor float64.

    Raises:
        SpecError: It is another, or JAX would take float32 for float64.
    """
    floatx = keras.config.floatx()
    if floatx not in ("float32", "float64"):
        raise SpecError(
            f"{FLOATX}: must be float32 or float64. Received: {floatx}"
        )
    if floatx == "float64" and keras.backend.backend() == "jax":
        import jax

        if not jax.config.jax_enable_x64:
            raise SpecError(
                f"{FLOATX}: float64 needs JAX_ENABLE_X64=1 on JAX, which"
                " computes in float32 without it"
            )


def _check_tensorflow():
    import tensorflow as tf

    if tf.distribute.has_strategy():
        raise SpecError(
            "--devices: names the devices of a run, which must not be inside"
            " the scope of a tf.distribute strategy"
        )
    for name, on in tf.config.optimizer.get_experimental_options().items():
        if on and name.startswith("auto_mixed_precision"):
            raise SpecError(
                "--precision: names the precision of a run, and TensorFlow's"
                f" optimizer option {name} must be off"
            )
