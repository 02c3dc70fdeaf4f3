"""What is said, and written down, of a run that cannot go on."""

import math

from kresnet.callbacks import NonFiniteLossError, WarmUpError
from kresnet.errors import DivergedError, OutOfMemoryError
from kresnet.training.checkpoints import Checkpoints
from kresnet.training.run_callbacks import RunCallbacks
from kresnet.training.run_folder import RunFolder
from kresnet.training.saver import NonFiniteWeightsError

DIVERGENCES = (NonFiniteLossError, NonFiniteWeightsError, WarmUpError)


def out_of_memory(folder: RunFolder, batch_size: int) -> OutOfMemoryError:
    """The error of a device without enough memory."""
    return OutOfMemoryError(
        f"{folder.path}: out of memory with batches of {batch_size}; a smaller "
        "training.batch_size, or a device with more memory, is needed"
    )


def divergence(
    folder: RunFolder,
    checkpoints: Checkpoints,
    callbacks: RunCallbacks,
    error: RuntimeError,
) -> tuple[str, DivergedError]:
    """Writes diverged.json and the losses; checkpoints stay as they are.

    Args:
        folder: The run's folder.
        checkpoints: Its checkpoints.
        callbacks: Know the rate and the losses.
        error: One of `DIVERGENCES`.

    Returns:
        The message for run.json, and the error to raise.
    """
    rate = callbacks.schedule.rate
    folder.write_diagnosis(
        {
            "message": str(error),
            "iteration": getattr(error, "iteration", callbacks.saver.iteration),
            "learning_rate": rate,
            # JSON has no NaN.
            "last_losses": [
                loss if math.isfinite(loss) else str(loss)
                for loss in callbacks.progress.last_losses()
            ],
        }
    )
    callbacks.losses.flush()
    kept = checkpoints.iterations()
    state = (
        f"The checkpoint of iteration {kept[-1]} is intact"
        if kept
        else "There was no checkpoint yet"
    )
    message = f"{error}; learning rate {rate:g}"
    return message, DivergedError(
        f"{folder.path}: diverged: {message}. {state}"
    )
