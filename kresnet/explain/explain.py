"""All points of comparison, in the order of the paper."""

from typing import Any

from kresnet.explain.data import data_points
from kresnet.explain.measurement import measurement_points
from kresnet.explain.network import batch_norm_points, network_points
from kresnet.explain.other_fields import other_points
from kresnet.explain.point import Point
from kresnet.explain.run import run_points
from kresnet.explain.training import training_points
from kresnet.spec import Spec


def explain(spec: Spec, info: dict[str, Any] | None = None) -> list[Point]:
    """Compares a spec, or a run of it, with the paper's CIFAR-10 experiments.

    Args:
        spec: The spec, as run if it was.
        info: Contents of run.json, for a run.

    Returns:
        The points, each with the paper's section and a grade.

    Reference:
        He et al. 2015, sections 3.4 and 4.2, table 6; conventions of its
        system (Caffe) where the paper leaves them to it.
    """
    points = [
        *network_points(spec),
        *batch_norm_points(spec),
        *data_points(spec),
        *training_points(spec),
        *measurement_points(),
        *other_points(spec),
    ]
    if info is not None:
        points += run_points(spec, info)
    return points
