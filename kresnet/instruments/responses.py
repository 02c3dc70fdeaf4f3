"""Layer responses and residual ratios (figure 7)."""

import statistics

from kresnet.instruments.instrument import Instrument, Table, layer_values


class Responses(Instrument):
    """Measures the standard deviation of each 3×3 layer's output.

    Also measured: the root mean square of each block's residual over that of
    its shortcut.

    Reference:
        He et al. 2015, section 4.2 and figure 7.
    """

    name = "responses"
    title = "Layer responses"
    caption = (
        "Standard deviation of each layer's response after batch norm,"
        " before the non-linearity or the addition; a colour is a"
        " network, a line a run."
    )
    tables = (
        Table(
            "responses",
            "std of each layer's output",
            ("layer", "std", "images"),
        ),
        Table(
            "residual_ratios",
            "residual over shortcut, by block",
            ("block", "ratio", "images"),
        ),
    )
    # Before the first iteration the moving averages are those of no image.
    at_start = False
    finished_only = True
    numbers = "iteration, layer and std, which is finite and not negative"

    def plan(self, subject):
        """Makes a probe that measures all images in one pass."""
        from kresnet.callbacks import LayerResponses
        from kresnet.network import find_places, inference_layers

        places = find_places(subject.network, subject.spec.model)
        return LayerResponses(
            subject.network,
            places.responses,
            places.branches,
            subject.images,
            every=1,
            last=1,
            write=lambda _: None,
            before=inference_layers(subject.transforms),
        )

    def measure(self, subject, plan):
        """Measures both tables, in the order of the network."""
        layers, blocks = plan.measure()
        return {"responses": layers, "residual_ratios": blocks}

    def read(self, rows):
        """The last iteration and its standard deviations by layer."""
        values = layer_values(rows, "std")
        last = max(values)
        return last, values[last]

    def summary(self, measured):
        """Says how large the responses are."""
        iteration, values = measured.values
        deviations = values.values()
        return (
            f"{measured.label}: {len(deviations)} layers at iteration"
            f" {iteration:,}, from {min(deviations):.3g} to"
            f" {max(deviations):.3g}."
        )

    def figure(self, measured, title):
        """Draws them in the order of the layers, and sorted by magnitude.

        The axis starts at 0, as the paper's, unless the largest would flatten
        the others and none is 0: then it is logarithmic.
        """
        from kresnet.figures import Panel, layer_lines, stacked_panels

        original = [list(each.values[1].values()) for each in measured]
        by_size = [sorted(each, reverse=True) for each in original]
        figure = stacked_panels(
            [
                Panel(
                    "layer, in the order of the network", layer_lines(original)
                ),
                Panel("layer, sorted by magnitude", layer_lines(by_size)),
            ],
            [each.label for each in measured],
            "standard deviation",
            title,
        )
        values = [deviation for each in original for deviation in each] or [0]
        for axes in figure.axes:
            if min(values) > 0 and max(values) > 10 * statistics.median(values):
                axes.set_yscale("log")
            else:
                axes.set_ylim(0, 1.08 * max(values) or 1)
        return figure
