"""Training a spec: the run, its folder, its checkpoints."""

from kresnet.training.loop.optimizer import CoupledSGD
from kresnet.training.options import Options
from kresnet.training.train import train

__all__ = ["CoupledSGD", "Options", "train"]
