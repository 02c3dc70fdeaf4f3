"""What the manifest of an export says of it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import SerializeAsAny, create_model

from kresnet.architecture import StageFields
from kresnet.documents import Exact, Fields
from kresnet.records.identity import Identity
from kresnet.records.run import Amount, Count
from kresnet.spec import Spec
from kresnet.spec.spec import spec_class

Format = Literal["tf_saved_model", "litert", "onnx"]


class ExportRecord(Fields):
    """What an export is.

    Attributes:
        kresnet_export: Tells an export from other sealed folders.
        format: Its format, by the name that `keras.Model.export` has for it.
        iteration: Updates done.
        identity: The identity of its run.
        spec: The spec of its run.
        compared: On how many images it was compared with the run, and the
            largest difference of a probability; `None` until it was.
        class_names: In the order of the probabilities.
    """

    kresnet_export: Annotated[Literal[1], Exact]
    format: Format
    iteration: Count
    identity: Identity
    spec: SerializeAsAny[Spec]
    class_names: tuple[str, ...]
    compared: dict[str, Amount] | None = None


def export_record_class(
    stages: Sequence[type[StageFields]],
) -> type[ExportRecord]:
    """Returns the class of records of networks that may have other stages."""
    if not stages:
        return ExportRecord
    return create_model(
        "ExportRecord",
        __base__=ExportRecord,
        spec=(spec_class(tuple(stages)), ...),
    )
