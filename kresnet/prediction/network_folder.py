"""What predicts: the network of a run or of an export."""

import dataclasses
import os
from collections.abc import Callable

import numpy as np

from kresnet.exporting import Export, open_run_or_export, softmax
from kresnet.spec import DATASETS, DatasetFacts
from kresnet.trained.measures import predict_logits
from kresnet.training import Run


@dataclasses.dataclass(frozen=True)
class OpenedNetwork:
    """A trained network, ready to use.

    Attributes:
        input: Height, width and channels of its images.
        facts: Of the data set it was trained on.
        class_names: In the order of the probabilities.
        probabilities: From uint8 `(batch, height, width, channels)` to float
            `(batch, classes)`.
    """

    input: tuple[int, int, int]
    facts: DatasetFacts
    class_names: tuple[str, ...]
    probabilities: Callable[[np.ndarray], np.ndarray]


def open_network(
    path: str | os.PathLike[str], checkpoint: int | None = None
) -> OpenedNetwork:
    """Opens a run folder or an export folder.

    Args:
        path: The folder.
        checkpoint: See `load_run`.

    Raises:
        KresnetError: As of `open_run_or_export`.
    """
    opened = open_run_or_export(path, checkpoint)
    return _run(opened) if isinstance(opened, Run) else _export(opened)


def _run(run: Run) -> OpenedNetwork:
    model = run.inference_model()
    facts = DATASETS[run.spec.data.dataset]
    return OpenedNetwork(
        run.spec.model.input,
        facts,
        facts.class_names,
        lambda images: softmax(predict_logits(model, images)),
    )


def _export(export: Export) -> OpenedNetwork:
    return OpenedNetwork(
        export.input,
        DATASETS[export.dataset],
        export.class_names,
        export.probabilities,
    )
