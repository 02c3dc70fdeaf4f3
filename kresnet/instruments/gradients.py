"""Norms of the gradient, layer by layer, during training."""

import math

from kresnet.instruments.instrument import Instrument, Table, layer_values


class Gradients(Instrument):
    """Measures the norm of each layer's gradient.

    It is the gradient of the plain cross-entropy with respect to the layer's
    kernel, on the batch of the coming update, without weight decay and before
    any clipping.
    """

    name = "gradients"
    title = "Gradient norms"
    caption = (
        "Norm of the gradient of the cross-entropy with respect to the"
        " kernels, on one batch, without weight decay and before any"
        " clipping: layer by layer at the initial weights and at the"
        " last iteration measured, and of all kernels together along"
        " the training; a colour is a network, a line a run."
    )
    tables = (Table("gradients", "norm of each gradient", ("layer", "norm")),)
    numbers = "iteration, layer and norm, which is finite and not negative"

    def measure(self, subject, plan):
        """Measures every kernel, in the order of the network."""
        import numpy as np

        rows = [
            {"layer": _layer(path), "norm": float(np.linalg.norm(gradient))}
            for path, gradient in subject.gradients().items()
            if path.endswith("/kernel")
        ]
        return {"gradients": rows}

    def read(self, rows):
        """The norms by iteration and layer."""
        return layer_values(rows, "norm")

    def summary(self, measured):
        """Says how large they are at both ends of the network."""
        iterations, layers = zip(*measured.values.items(), strict=True)
        whole = _whole(measured.values)
        return (
            f"{measured.label}: in the first layer and in the last"
            f" {_ends(layers[0])} at the start, {_ends(layers[-1])} at"
            f" iteration {iterations[-1]:,}; all together from"
            f" {min(whole):.3g} to {max(whole):.3g}."
        )

    def figure(self, measured, title):
        """Draws the norms by layer, first and last, and along the training."""
        from kresnet.figures import Panel, layer_lines, stacked_panels

        runs = [each.values for each in measured]
        first, last = (
            layer_lines([[*[*run.values()][end].values()] for run in runs])
            for end in (0, -1)
        )
        figure = stacked_panels(
            [
                Panel("layer, at the initial weights", first),
                Panel("layer, at the last iteration measured", last),
                Panel(
                    "iteration, all layers together",
                    [(list(run), _whole(run)) for run in runs],
                ),
            ],
            [each.label for each in measured],
            "norm of the gradient",
            title,
        )
        for axes in figure.axes:
            if axes.dataLim.y1 > 0:  # all were 0 where the training diverged
                axes.set_yscale("log")
        upper, middle, _ = figure.axes
        upper.sharey(middle)  # to be compared
        upper.autoscale()
        return figure


def _whole(norms) -> list[float]:
    """The norm of all kernels together, at each iteration measured."""
    return [math.hypot(*layers.values()) for layers in norms.values()]


def _ends(norms: dict[str, float]) -> str:
    values = [*norms.values()]
    return f"{values[0]:.3g} and {values[-1]:.3g}"


def _layer(path: str) -> str:
    """conv2_1_conv2/kernel is of the layer conv2_1_2; conv1/kernel of conv1."""
    return path.split("/")[-2].replace("_conv", "_")
