"""Training a spec: the run, its folder, its checkpoints."""

from kresnet.training.experiment import train
from kresnet.training.optimizer import CoupledSGD
from kresnet.training.run import Run, load_run

__all__ = ["CoupledSGD", "Run", "load_run", "train"]
