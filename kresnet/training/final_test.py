"""What is measured on the test images when a run ends."""

from collections.abc import Callable

import numpy as np

from kresnet import sealed_folder
from kresnet.data import Dataset
from kresnet.records.checkpoints import Arrays, Checkpoints
from kresnet.trained import measures

Logits = Callable[[np.ndarray, Arrays | None], np.ndarray]


def error_and_loss(
    logits: Logits, data: Dataset, weights: Arrays | None = None
) -> tuple[float, float]:
    """Test error in percent, and cross-entropy.

    Args:
        logits: From raw pixels, and weights or `None` for those of now.
        data: Has the test images.
        weights: By path; `None` for those of now.
    """
    found = logits(data.test_images, weights)
    return (
        measures.error(found, data.test_labels),
        measures.cross_entropy(found, data.test_labels),
    )


def final_numbers(
    logits: Logits,
    data: Dataset,
    best: dict | None,
    checkpoints: Checkpoints,
) -> dict:
    """The numbers of run.json; the last iteration's apart from the best's.

    Args:
        logits: As in `error_and_loss`.
        data: Has the test images.
        best: The best iteration by validation and its error, if any.
        checkpoints: Have its weights; their `notify` is told of damage.
    """
    error, loss = error_and_loss(logits, data)
    if best is not None:
        try:
            weights = checkpoints.load(best["iteration"]).weights
            best = {
                **best,
                "test_error": error_and_loss(logits, data, weights)[0],
            }
        except sealed_folder.DamagedError as damage:
            checkpoints.notify(
                f"no test error at the best validation: {damage}"
            )
            best = {**best, "test_error": None}
    return {"test_error": error, "test_loss": loss, "best_validation": best}
