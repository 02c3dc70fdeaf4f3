"""What the machine has, in words."""

import keras

from kresnet.machine.place import devices_for, visible_gpus
from kresnet.spec import Spec


def overview(text: str | None, spec: Spec) -> list[str]:
    """Lines: the devices there are, and those that a run would use.

    Args:
        text: See `parse_devices`.
        spec: What would be run.

    Raises:
        DeviceMissingError: There are no such devices.
        SpecError: The text is wrong, or the batch cannot be spread so.
    """
    used, notice = devices_for(text, spec)
    batch = spec.training.batch_size
    lines = [
        f"backend  {keras.backend.backend()}",
        *(f"gpu:{i:<4} {name}" for i, name in enumerate(visible_gpus())),
        "cpu      always there; cpu:N makes N virtual devices, for trials",
        "",
        f"{spec.name} would be trained on {', '.join(used.names)}: batches of"
        f" {batch}, {batch // len(used.ids)} images a device",
    ]
    return [*lines, notice] if notice else lines
