"""A checkpoint as bytes, to be sent to other processes."""

import dataclasses
import json

from safetensors.numpy import load, save

from kresnet.records.checkpoints import Checkpoint, Identity


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """One line of JSON, then the weights and the optimiser's variables."""
    weights = save(checkpoint.weights)
    header = {
        "iteration": checkpoint.iteration,
        "state": checkpoint.state,
        "identity": dataclasses.asdict(checkpoint.identity),
        "weights": len(weights),
    }
    line = json.dumps(header).encode() + b"\n"
    return line + weights + save(checkpoint.optimizer)


def from_bytes(data: bytes) -> Checkpoint:
    """What `to_bytes` was given."""
    line, _, arrays = data.partition(b"\n")
    header = json.loads(line)
    size = header["weights"]
    return Checkpoint(
        iteration=header["iteration"],
        weights=load(arrays[:size]),
        optimizer=load(arrays[size:]),
        state=header["state"],
        identity=Identity(**header["identity"]),
    )
