"""The base class of layers of images: it checks shapes and knows `tf.data`."""

import sys
from collections.abc import Sequence

import keras

NAMES = ("height", "width", "channels")


class ImageLayer(keras.layers.Layer):
    """A layer of images that checks their shape before it is called.

    In a graph of TensorFlow's, such as a function in the `map` of a
    `tf.data.Dataset`, it also works with Keras on another backend.
    """

    # Height, width and channels that images must have; None: any.
    sizes: tuple[int | None, ...] = (None, None, None)

    def __call__(self, images, *args, **kwargs):
        check_images(shape_of(images), self.sizes)
        if keras.backend.backend() != "tensorflow" and any(
            map(_in_graph, keras.tree.flatten((images, args, kwargs)))
        ):
            from kresnet.layers.in_graph_tensorflow import call_in_graph

            return call_in_graph(self, images, *args, **kwargs)
        return super().__call__(images, *args, **kwargs)


def shape_of(tensor) -> tuple[int | None, ...] | None:
    """Returns the shape of an array or a tensor; `None` where it has none."""
    try:
        return tuple(tensor.shape)
    except (AttributeError, ValueError):  # a list; a tensor of unknown rank
        return None


def check_images(
    shape: tuple[int | None, ...] | None,
    sizes: tuple[int | None, ...],
    known: Sequence[str] = (),
) -> None:
    """Raises a ValueError if a shape, or `None`, is no batch of such images.

    `None` among the sizes is any; those of `known` must be known all the same.
    """
    if (
        shape is None
        or len(shape) != 4
        or any(
            wanted not in (None, size) or (size is None and name in known)
            for wanted, size, name in zip(sizes, shape[1:], NAMES, strict=True)
        )
    ):
        wanted = ", ".join(
            str(size or name) for size, name in zip(sizes, NAMES, strict=True)
        )
        unsaid = [
            name
            for size, name in zip(sizes, NAMES, strict=True)
            if size is None and name in known
        ]
        unknown = f", with known {', '.join(unsaid)}" if unsaid else ""
        raise ValueError(
            f"`images` must have shape (batch, {wanted}){unknown}. "
            f"Received: images.shape={'unknown' if shape is None else shape}"
        )


def _in_graph(value: object) -> bool:
    """Whether a value is a tensor of a TensorFlow graph."""
    # Whoever has such a tensor has imported TensorFlow.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and tensorflow.is_symbolic_tensor(value)
