"""What is said, and written down, of a run that diverged."""

import math

from kresnet.callbacks import NonFiniteLossError, WarmUpError
from kresnet.errors import DivergedError
from kresnet.records.checkpoints import Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.training.run_callbacks import RunCallbacks
from kresnet.training.saving import NonFiniteWeightsError

DIVERGENCES = (NonFiniteLossError, NonFiniteWeightsError, WarmUpError)


def write_diagnosis(
    folder: RunFolder, callbacks: RunCallbacks, error: RuntimeError
) -> None:
    """Writes diverged.json and the losses; checkpoints stay as they are.

    Args:
        folder: The run's folder.
        callbacks: Know the rate and the losses.
        error: One of `DIVERGENCES`.
    """
    folder.write_diagnosis(
        {
            "message": str(error),
            "iteration": getattr(error, "iteration", callbacks.saver.iteration),
            "learning_rate": callbacks.schedule.rate,
            # JSON has no NaN.
            "last_losses": [
                loss if math.isfinite(loss) else str(loss)
                for loss in callbacks.progress.last_losses()
            ],
        }
    )
    callbacks.losses.flush()


def diverged(
    folder: RunFolder, checkpoints: Checkpoints, message: str
) -> DivergedError:
    """The error of a run that diverged.

    Args:
        folder: The run's folder.
        checkpoints: Its checkpoints.
        message: What happened.
    """
    kept = checkpoints.iterations()
    state = (
        f"The checkpoint of iteration {kept[-1]} is intact"
        if kept
        else "There was no checkpoint yet"
    )
    return DivergedError(f"{folder.path}: diverged: {message}. {state}")
