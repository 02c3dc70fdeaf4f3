"""The training path in PyTorch, in the fastest of several ways to run it."""

import dataclasses
import functools
import os
import time

import torch
from torch.nn import functional
from torch_network import Network
from torch_transforms import draws, transformed

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIDE, MIB = (8_192, 4_096) if DEVICE == "cuda" else (2_048, 256)


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to run an iteration.

    Attributes:
        compiled: By torch.compile, or op by op.
        apart: Each group of batch norm in a pass of its own, the gradients
            added up, as on the paper's two GPUs; else the batch in one pass.
    """

    compiled: bool
    apart: bool

    @property
    def name(self):
        return (
            f"{'compiled' if self.compiled else 'eager'}, groups "
            f"{'apart' if self.apart else 'together'}"
        )


VARIANTS = [
    Variant(False, False),
    Variant(False, True),
    Variant(True, False),
    Variant(True, True),
]


class Batches:
    """Images, labels and order, on the device."""

    def __init__(self, images, labels, order):
        self.images = torch.tensor(images, device=DEVICE)
        self.labels = torch.tensor(labels, device=DEVICE).long()
        self.order = order

    def at(self, first, count):
        """Indices and keys of iterations, int64 `(count, batch)`."""
        indices, keys = self.order.batches(first, count)
        return (
            torch.from_numpy(indices).to(DEVICE).long(),
            torch.from_numpy(keys.astype("int64")).to(DEVICE),
        )


class Path:
    """Transforms, network and optimiser, on the device.

    PyTorch's momentum has the learning rate outside of it, which at a constant
    rate computes the same.

    Args:
        fields: Of the spec.
        batches: Images and order.
        weights: kresnet's, by path; None keeps PyTorch's own.
        variant: How to run.
        mixed: Whether convolutions are in bfloat16.
    """

    def __init__(self, fields, batches, weights, variant, mixed=False):
        training, model = fields["training"], fields["model"]
        self.fields, self.batches, self.variant = fields, batches, variant
        self.mixed = mixed
        self.transforms = fields["data"]["transforms"]
        size = training["batch_size"]
        norm = model["batch_norm"]
        per_group = (norm and norm["images_per_statistic"]) or size
        self.part_size = per_group if variant.apart else size
        network = Network(model, size // per_group)
        self.network = network.to(DEVICE, memory_format=torch.channels_last)
        self.weights = weights
        self.mean = torch.zeros(model["input"], device=DEVICE)
        self.reset()
        # Else a second size would be compiled for all sizes at once.
        compiled = functools.partial(torch.compile, dynamic=False)
        if not variant.compiled:
            compiled = functools.partial
        self._loss = compiled(self._part_loss)
        self._transformed = compiled(
            functools.partial(transformed, self.transforms)
        )

    def reset(self):
        """Back to the initial weights and the first iteration."""
        if self.weights is not None:
            self.network.load(self.weights)
            mean = self.weights.get("per_pixel_mean/mean")
            if mean is not None:
                self.mean = torch.tensor(mean, device=DEVICE)
        training = self.fields["training"]
        with_decay, without = self.network.decayed(training)
        rate = training["learning_rate"]["start"]
        if training["warm_up"]:
            rate = training["warm_up"]["learning_rate"]
        self.optimizer = torch.optim.SGD(
            [
                {
                    "params": with_decay,
                    "weight_decay": training["weight_decay"],
                },
                {"params": without},
            ],
            lr=rate,
            momentum=training["momentum"],
            fused=True,
        )
        self.iteration = 0

    def _part_loss(self, images, labels):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.mixed):
            logits = self.network(images)
        logits = logits.to(self.mean.dtype)
        hits = (logits.argmax(1) == labels).sum()
        return functional.cross_entropy(logits, labels), hits

    def _inputs(self, indices, drawn):
        batches = self.batches
        images = self._transformed(
            batches.images[indices], mean=self.mean, drawn=drawn
        )
        return images, batches.labels[indices]

    def _forward(self, images, labels, backward):
        losses, hits = [], []
        parts = zip(
            images.split(self.part_size),
            labels.split(self.part_size),
            strict=True,
        )
        share = self.part_size / len(images)
        for part in parts:
            loss, right = self._loss(*part)
            loss = loss * share
            if backward:
                loss.backward()
            losses.append(loss.detach())
            hits.append(right)
        return sum(losses), sum(hits)

    def _iterate(self, first, iterations, work):
        """Runs `work(indices, drawn)` for each; returns the results."""
        indices, keys = self.batches.at(first, iterations)
        drawn = draws(self.transforms, keys)
        results = []
        for i in range(iterations):
            values = [tuple(d[i] for d in one) for one in drawn]
            results.append(work(indices[i], values))
        return results

    def whole(self, iterations):
        """Trains on; returns the losses."""
        results = self._iterate(self.iteration, iterations, self._update)
        self.iteration += iterations
        losses, hits = map(torch.stack, zip(*results, strict=True))
        hits.cpu()
        return losses.tolist()

    def _update(self, indices, drawn):
        self.optimizer.zero_grad(set_to_none=True)
        result = self._forward(*self._inputs(indices, drawn), backward=True)
        self.optimizer.step()
        return result

    def _backward(self, indices, drawn):
        self.optimizer.zero_grad(set_to_none=True)
        return self._forward(*self._inputs(indices, drawn), backward=True)

    def _forward_only(self, indices, drawn):
        return self._forward(*self._inputs(indices, drawn), backward=False)

    def parts(self):
        """What `kresnet.benchmark.serving` names, as functions of a count."""

        def run(work):
            def part(iterations):
                self._iterate(0, iterations, work)
                synchronize()

            return part

        def product(iterations):
            a = self._held("a", (SIDE, SIDE))
            for _ in range(iterations):
                result = a @ a
            result[0, 0].item()

        def copy(iterations):
            size = MIB * 2**20 // (2 if self.mixed else self.mean.itemsize)
            source = self._held("b", (size,))
            target = self._held("c", source.shape)
            for _ in range(iterations):
                target.copy_(source)
            synchronize()

        return {
            "transforms": run(self._inputs),
            "forward": run(self._forward_only),
            "backward": run(self._backward),
            "update": run(self._update),
            "whole": lambda iterations: self.whole(iterations) and None,
            "product": product,
            "copy": copy,
        }

    @functools.cache  # noqa: B019
    def _held(self, name, shape):
        dtype = torch.bfloat16 if self.mixed else self.mean.dtype
        return torch.ones(shape, device=DEVICE, dtype=dtype)


def synchronize():
    """Waits for the device."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def choose(fields, batches, weights, mixed=False, iterations=3):
    """The fastest variant, at its start, and what each took.

    By CPU-seconds on a CPU, which others may share, else by the clock. Only
    variants whose name holds REFERENCE_VARIANT are tried, where that is set.
    """
    torch.backends.cudnn.benchmark = True
    clock = time.perf_counter if DEVICE == "cuda" else time.process_time
    tried, best = {}, None
    only = os.environ.get("REFERENCE_VARIANT", "")
    for variant in (v for v in VARIANTS if only in v.name):
        path = Path(fields, batches, weights, variant, mixed)
        path.whole(2)  # compiles
        took = []
        for _ in range(2):
            start = clock()
            path.whole(iterations)
            took.append((clock() - start) / iterations)
        tried[variant.name] = min(took)
        if best is None or min(took) < tried[best.variant.name]:
            best = path
    best.reset()
    return best, tried
