"""Training a spec: the run, its folder, its checkpoints."""

from kresnet.training.optimizer import CoupledSGD
from kresnet.training.run import Run, RunRecord, load_run, read_run
from kresnet.training.train import train

__all__ = [
    "CoupledSGD",
    "Run",
    "RunRecord",
    "load_run",
    "read_run",
    "train",
]
