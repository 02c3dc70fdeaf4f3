"""Arrays of a file put into a network: found, turned, folded, checked."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from kresnet.architecture import ModelSpec, Part, inventory
from kresnet.errors import BadDataError, SpecError
from kresnet.importing.layout import centred_orders, reordered, theirs, turned
from kresnet.importing.naming import Naming
from kresnet.weight_files import FLOATS, Held, Listing

# What files hold beside weights, and why it is not taken.
COUNTER = "num_batches_tracked"
ASIDE = {
    "optimizer": "the optimiser's",
    "optimizer_weights": "the optimiser's",
    "per_pixel_mean": "statistics of a transform",
    "channel_mean": "statistics of a transform",
    "channel_standardize": "statistics of a transform",
    "zca_whitening": "statistics of a transform",
    "fancy_pca": "statistics of a transform",
}


@dataclasses.dataclass(frozen=True)
class Found:
    """Where a file has an array of the network.

    Attributes:
        part: The layer.
        array: The array's own name.
        name: What the file calls it.
    """

    part: Part
    array: str
    name: str

    @property
    def ours(self) -> str:
        """The path of the variable."""
        return f"{self.part.name}/{self.array}"


@dataclasses.dataclass
class Match:
    """A network's arrays, and those of a file under a naming and a prefix.

    Attributes:
        model: The network.
        naming: Whose names they are.
        prefix: What stands before every name.
        channels: Channels of images that the first kernels take in the file.
        found: The arrays that are there with their shapes.
        missing: Those that are not there.
        misshapen: Those that have another shape.
        biases: Names of biases of convolutions that batch norm follows, to be
            folded into it, by the name of the norm.
        left: What the file has beside them, and why it is not taken; empty
            where nothing says why.
    """

    model: ModelSpec
    naming: Naming
    prefix: str
    channels: int
    found: list[Found] = dataclasses.field(default_factory=list)
    missing: list[Found] = dataclasses.field(default_factory=list)
    misshapen: list[Found] = dataclasses.field(default_factory=list)
    biases: dict[str, str] = dataclasses.field(default_factory=dict)
    left: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int]:
        """Names that are there, and those that also fit."""
        return len(self.found) + len(self.misshapen), len(self.found)

    @property
    def effect(self) -> tuple:
        """What is the same for two that come to the same arrays."""
        naming = self.naming
        facts = (naming.torch, naming.epsilon, naming.bgr, naming.centred)
        return self.prefix, facts, [each.name for each in self.found]

    @property
    def unknown(self) -> list[str]:
        """Names that are left over without a reason."""
        return [name for name, why in self.left.items() if not why]

    @property
    def fits(self) -> bool:
        """Whether every array is there, and no other."""
        return not (self.missing or self.misshapen or self.unknown)


def match(
    model: ModelSpec,
    naming: Naming,
    prefix: str,
    held: Listing,
    *,
    classifier: bool = True,
    channels: bool = False,
    parts: list[Part] | None = None,
) -> Match:
    """Compares names and shapes; nothing is read.

    Without the classifier what else stands after the stages may be missing,
    too. With `channels` the first kernels may take other channels. `parts` are
    the network's layers, found if not given.
    """
    made = Match(model, naming, prefix, model.input[2])
    reasons, last, first = {}, "", True
    for part in parts or inventory(model):
        for array, shape in part.shapes.items():
            each = Found(part, array, prefix + naming.array(part, array))
            there = held.get(each.name)
            if part.is_classifier and not classifier:
                reasons[each.name] = "the classifier's"
            elif there is None:
                if classifier or not part.in_head:
                    made.missing.append(each)
            elif there.shape == theirs(part, array, naming):
                made.found.append(each)
            elif first and channels and array == "kernel":
                other = _other_channels(part, shape, there, naming)
                made.channels = other or made.channels
                (made.found if other else made.misshapen).append(each)
            else:
                made.misshapen.append(each)
            first = first and array != "kernel"
        if part.kind == "norm":
            if last in held and "moving_mean" in part.shapes:
                if held[last].shape == part.shapes["moving_mean"]:
                    made.biases[part.name] = last
                else:
                    own = part._replace(
                        shapes={"bias": part.shapes["moving_mean"]}
                    )
                    made.misshapen.append(Found(own, "bias", last))
        elif part.kind == "convolution" and "bias" not in part.shapes:
            last = prefix + naming.array(part, "bias")
        else:
            last = ""
    used = {each.name for each in (*made.found, *made.misshapen)}
    used |= set(made.biases.values())
    made.left = {
        name: reasons.get(name) or _aside(name)
        for name in held
        if name.startswith(prefix) and name not in used
    }
    return made


def _other_channels(part: Part, shape, there: Held, naming: Naming) -> int:
    """Channels of the first kernel in a file; 0 if it has another shape."""
    axis = 1 if naming.torch else 2
    if len(there.shape) != 4:
        return 0
    came = there.shape[axis]
    kernel, _, _, width = shape
    other = part._replace(shapes={"kernel": (kernel, kernel, came, width)})
    return came if theirs(other, "kernel", naming) == there.shape else 0


def _aside(name: str) -> str:
    if name.rpartition(".")[2] == COUNTER:
        return "a counter of batches"
    return ASIDE.get(name.partition("/")[0], "")


@dataclasses.dataclass(frozen=True)
class Fitted:
    """The arrays of a network.

    Attributes:
        arrays: By the path of the variable.
        sources: The names of what each was made of.
        notes: What was done to them, in words.
    """

    arrays: dict[str, np.ndarray]
    sources: dict[str, list[str]]
    notes: list[str]


def fit(matched: Match, held: Listing, dtype: str = "float32") -> Fitted:
    """Reads the arrays of a match that fits and makes them ours.

    Biases that batch norm follows go into its mean, and the difference of two
    ε into its variance, both in float64.

    Raises:
        BadDataError: Numbers are not finite, a variance is negative, or the
            file is damaged.
        SpecError: The spec's ε is so large that a variance would be negative.
    """
    naming = matched.naming
    parts = inventory(matched.model)
    orders = centred_orders(parts) if naming.centred else []
    arrays, sources, types = {}, {}, set()
    folded: set[str] = set()
    first = next(p.name for p in parts if "kernel" in p.shapes)
    for each in matched.found:
        there = held[each.name]
        types.add(there.dtype)
        value = _numbers(there, each.name)
        names = [each.name]
        if each.array == "kernel":
            value = _kernel(value, each, matched, first)
        if orders:
            value = reordered(value, each.part, each.array, orders)
        bias = matched.biases.get(each.part.name)
        if each.array == "moving_mean" and bias:
            names.append(bias)
            added = _numbers(held[bias], bias)
            if orders:
                added = reordered(added, each.part, each.array, orders)
            value = value.astype("float64") - added
            folded.add("biases of convolutions, into the means of batch norm")
        if each.array == "moving_variance":
            value, said = _variance(value, each, matched)
            folded |= said
        arrays[each.ours] = _finite(value, each.name, dtype)
        sources[each.ours] = names
    return Fitted(arrays, sources, list(_notes(matched, types, folded, dtype)))


def read_finite(there: Held, name: str) -> np.ndarray:
    """Reads an array as float32; errors as of `fit`."""
    return _finite(_numbers(there, name), name, "float32")


def _finite(value: np.ndarray, name: str, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(value.astype(dtype))
    if not np.isfinite(made).all():
        raise BadDataError(
            f"{name}: holds NaN or infinite numbers, or some beyond the range"
            f" of {dtype}"
        )
    return made.reshape(value.shape)


def _numbers(there: Held, name: str) -> np.ndarray:
    if there.dtype not in FLOATS:
        raise BadDataError(
            f"{name}: must hold floating-point numbers, {', '.join(FLOATS)}."
            f" Received: {there.dtype}"
        )
    return there.read()


def _kernel(value, each: Found, matched: Match, first: str) -> np.ndarray:
    part, naming = each.part, matched.naming
    value = turned(value, part, naming)
    if part.name != first:
        return value
    if naming.bgr and value.shape[2] == 3:
        value = value[:, :, ::-1]
    ours = part.shapes["kernel"][2]
    if value.shape[2] != ours:  # `match` allowed it
        total = value.astype("float64").sum(axis=2, keepdims=True) / ours
        value = np.repeat(total, ours, axis=2)
    return value


def _variance(value, each: Found, matched: Match):
    if not (value >= 0).all() and not np.isnan(value).any():
        raise BadDataError(f"{each.name}: a variance is negative")
    norm, epsilon = matched.model.batch_norm, matched.naming.epsilon
    if norm is None or epsilon in (None, norm.epsilon):
        return value, set()
    value = value.astype("float64") + (epsilon - norm.epsilon)
    if (value < 0).any():
        raise SpecError(
            f"{each.name}: a variance is below {norm.epsilon:g}, the spec's ε;"
            f" the weights were made for {epsilon:g}: --set"
            f" model.batch_norm.epsilon={epsilon:g}"
        )
    return value, {f"ε of {epsilon:g}, into the variances of batch norm"}


def _notes(matched: Match, types, folded, dtype) -> Iterator[str]:
    for each in sorted(folded):
        yield f"folded: {each}"
    for each in sorted(types - {dtype}):
        words = "widened" if "16" in each or dtype == "float64" else "rounded"
        yield f"{each} numbers are {words} to {dtype}"
    ours = matched.model.input[2]
    if matched.channels != ours:
        yield (
            f"the first kernels take {matched.channels} channels in the file:"
            f" they are summed over them"
            + (f" and divided among {ours}" if ours > 1 else "")
        )
    if matched.naming.centred:
        yield "channels are in another order: option A padded on both sides"
    if matched.naming.bgr:
        yield "the first kernels took blue, green, red, and are turned"
