"""The base class of layers with statistics of the training images."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from kresnet.layers.image_layer import NAMES, ImageLayer, check_images, shape_of

Images = np.ndarray | Iterable[np.ndarray]
Initial = tuple[tuple[int, ...], Any]  # shape and initialiser

_CHUNK = 1_000  # images; bounds the memory that sums take


class AdaptedLayer(ImageLayer):
    """A layer whose weights are statistics of the training images.

    A subclass names its weights in `initial_weights` and computes their values
    in `statistics`.
    """

    # Whether the statistics are those of colours, whatever the images' size.
    any_size = False
    # Whether its weights are constants that it was made with.
    given = False

    def __call__(self, images, *args, **kwargs):
        """Calls the layer, also on one image without an axis for the batch."""
        shape = shape_of(images)
        symbolic = isinstance(images, keras.KerasTensor)
        if shape is not None and len(shape) == 3 and not symbolic:
            return super().__call__(images[None], *args, **kwargs)[0]
        return super().__call__(images, *args, **kwargs)

    def adapted_sizes(
        self, sizes: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The sizes that all images must have, from the first ones'.

        Both are height, width and channels; `None` is any. A ValueError says
        why the layer cannot be built for them.
        """
        if self.any_size:
            check_images((None, *sizes), self.sizes, ("channels",))
            return (None, None, sizes[2])
        check_images((None, *sizes), self.sizes, NAMES)
        return sizes

    def initial_weights(self, sizes: tuple[Any, ...]) -> dict[str, Initial]:
        """Shape and initialiser of each weight by name; see `adapted_sizes`."""
        raise NotImplementedError

    def statistics(self, batches: Iterator[np.ndarray]) -> dict:
        """Returns the values of the weights, by their names, in float64.

        Images come in order, `(count, height, width, channels)`, finite, and of
        the sizes that the layer takes.
        """
        raise NotImplementedError

    def build(self, images_shape):
        check_images(tuple(images_shape), self.sizes)
        self.sizes = self.adapted_sizes(tuple(images_shape[1:]))
        weights = self.initial_weights(self.sizes)
        for name, (shape, initializer) in weights.items():
            weight = self.add_weight(
                name=name,
                shape=shape,
                initializer=initializer,
                trainable=False,
                autocast=False,  # pixels reach 255: too coarse in float16
            )
            setattr(self, name, weight)

    def adapt(self, data: Images) -> None:
        """Sets the weights to the statistics of `data`, summed in float64.

        Args:
            data: Images of shape `(N, height, width, channels)`, of any number
                type: an array, a tensor, or a `tf.data.Dataset`, a
                `keras.utils.PyDataset` or another iterable of such batches.
                The training split, and only that.

        Raises:
            ValueError: `data` is something else, holds no image or pixels that
                are not finite, or its images are not those that the layer was
                built for, or it was made with constants. The layer is then as
                it was before.
        """
        if self.given:
            raise ValueError(
                f"`adapt` must not be called: {self.name} was made with its"
                " constants"
            )
        batches = self._of_one_size(image_batches(data))
        first = next(batches)
        statistics = self.statistics(itertools.chain([first], batches))
        dtype = self.variable_dtype
        for name, value in statistics.items():
            with np.errstate(over="ignore"):
                held = ops.isfinite(ops.cast(value, dtype))
            if not ops.convert_to_numpy(held).all():
                raise ValueError(
                    f"`data` must have statistics that {dtype} can hold. "
                    f"Received: pixels too large for `{name}`"
                )
        if not self.built:
            self.build(first.shape)
        for name, value in statistics.items():
            getattr(self, name).assign(value)

    def _of_one_size(self, batches):
        sizes = None
        for batch in batches:
            sizes = sizes or self.adapted_sizes(batch.shape[1:])
            check_images(batch.shape, sizes)
            yield batch

    def compute_output_shape(self, images_shape):
        return tuple(images_shape)


class ColourLayer(AdaptedLayer):
    """A layer of colours' statistics, or of constants in their place.

    Args:
        constants: Numbers, one a channel, by the names of the subclass's
            arguments; `None` where they are statistics.
    """

    any_size = True

    def __init__(self, constants: dict[str, Any], **kwargs):
        super().__init__(**kwargs)
        self.constants = {k: _finite(k, v) for k, v in constants.items()}
        self.given = any(v is not None for v in self.constants.values())

    def adapted_sizes(self, sizes):
        for name, numbers in self.constants.items():
            if numbers is not None and len(numbers) != sizes[-1]:
                raise ValueError(
                    f"`{name}` must have a number for each of {sizes[-1]}"
                    f" channels. Received: {len(numbers)}"
                )
        return super().adapted_sizes(sizes)

    def initially(self, name: str, otherwise: str) -> Any:
        """The initialiser of a weight that may be given."""
        numbers = self.constants[name]
        return otherwise if numbers is None else _Given(numbers)

    def get_config(self):
        own = {
            name: None if numbers is None else numbers.tolist()
            for name, numbers in self.constants.items()
        }
        return {**super().get_config(), **own}


def _finite(name: str, values: Any) -> np.ndarray | None:
    """An argument's numbers, one a channel, or a ValueError; `None` is kept."""
    if values is None:
        return None
    try:
        array = np.asarray(values, "float64")
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            f"`{name}` must be finite numbers, one a channel. Received:"
            f" {name}={values}"
        )
    return array


class _Given(keras.initializers.Initializer):
    """Numbers as they are; `Constant` takes them through float32."""

    def __init__(self, numbers: np.ndarray):
        self.numbers = numbers

    def __call__(self, shape, dtype=None):
        return ops.convert_to_tensor(self.numbers.astype(dtype))


def image_batches(data: Any) -> Iterator[np.ndarray]:
    """Yields images in batches, as NumPy arrays; see `AdaptedLayer.adapt`."""
    batch = None
    for batch in filter(len, _batches(data)):
        yield batch
    if batch is None:
        raise ValueError(
            "`data` must hold at least one image. Received: none (a generator "
            "can be read once)"
        )


def mean_and_covariance(
    rows: Iterable[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean `(d,)` and covariance `(d, d)` of arrays `(count, d)`.

    They are summed in float64; the covariance is divided by the number of rows.
    """
    origin = total = products = np.zeros(())
    count = 0
    for part in rows:
        if count == 0:
            origin = part.mean(axis=0, dtype=np.float64)
        # Near zero, or the mean's square would drown the variance.
        part = part - origin
        count += len(part)
        total = total + part.sum(axis=0)
        products = products + part.T @ part
    mean = total / count
    return origin + mean, products / count - np.outer(mean, mean)


def pixels(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the colours of all pixels, shape `(count, channels)`."""
    for batch in batches:
        yield batch.reshape(-1, batch.shape[-1])


def _batches(data: Any) -> Iterator[np.ndarray]:
    if _is_array(data):
        shape = shape_of(data) or ()
        if len(shape) != 4 or None in shape:
            raise _not_images(data)
        for start in range(0, data.shape[0], _CHUNK):
            yield _numbers(data[start : start + _CHUNK])
        return
    if _is_endless(data):
        raise ValueError("`data` must end. Received: a data set without an end")
    try:
        batches = iter(data)
    except TypeError:
        raise _not_images(data) from None
    for batch in batches:
        if not _is_array(batch) or len(shape_of(batch) or ()) != 4:
            raise _not_images(batch, "in place of a batch, ")
        yield _numbers(batch)


def _is_array(value: object) -> bool:
    """Says whether a value is an array or a tensor, of whatever library."""
    return all(hasattr(value, name) for name in ("shape", "dtype", "__array__"))


def _is_endless(data: object) -> bool:
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches is None
    # tf.data's: -1 is its word for infinite.
    return hasattr(data, "cardinality") and int(data.cardinality()) == -1


def _numbers(batch: object) -> np.ndarray:
    """Returns a batch as an array of finite numbers."""
    try:
        array = np.asarray(batch)
    except (TypeError, ValueError, RuntimeError):  # symbolic
        raise _not_images(batch) from None
    name = array.dtype.name
    if name.startswith(("float", "bfloat")):
        # As float32 is what layers compute in, at least.
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype("float32")).all()
        if not finite:
            raise ValueError(
                "`data` must hold finite pixels. Received: NaN, infinity or "
                "numbers beyond the range of float32"
            )
        if name == "bfloat16":  # NumPy itself cannot sum it
            array = array.astype("float32")
        elif array.itemsize > 8:  # no backend knows a longer one
            array = array.astype("float64")
    elif array.dtype.kind not in "bui":
        raise _not_images(batch)
    if 0 in array.shape[1:]:
        raise _not_images(batch)
    return array


def _not_images(value: Any, where: str = "") -> ValueError:
    if _is_array(value):
        came = f"{type(value).__name__} of shape {shape_of(value)} and "
        came += f"dtype {getattr(value.dtype, 'name', value.dtype)}"
    elif isinstance(value, tuple | list):
        kinds = ", ".join(type(item).__name__ for item in value[:3])
        came = f"{type(value).__name__} of {len(value)} ({kinds}…)"
    else:
        came = type(value).__name__
    return ValueError(
        "`data` must be numbers of shape (batch, height, width, channels): an "
        "array, a tensor, or a data set or another iterable of such batches, "
        "without labels. "
        f"Received: {where}{came}"
    )
