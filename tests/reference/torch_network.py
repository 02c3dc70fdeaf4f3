"""The networks of He et al. 2015, and VGG's, in PyTorch."""

import torch
from torch import nn
from torch.nn import functional


class GroupNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of groups of images.

    Each group moves the averages by `1 - momentum ** (1 / groups)`, so that a
    batch keeps `momentum` of them. Training does not read them.
    """

    def __init__(self, channels, fields, groups):
        super().__init__(
            channels,
            eps=fields["epsilon"],
            momentum=1 - fields["momentum"] ** (1 / groups),
        )
        self.images = fields["images_per_statistic"]

    def forward(self, x):
        if self.images is None or len(x) == self.images:
            return super().forward(x)
        parts = [
            super(GroupNorm, self).forward(p) for p in x.split(self.images)
        ]
        return torch.cat(parts)


def pooled(x, pool):
    """Max pooling, if there is any; "end" rounds the size up, as Caffe."""
    if not pool:
        return x
    even = pool["padding"] == "even"
    return functional.max_pool2d(
        x,
        pool["kernel"],
        pool["stride"],
        padding=pool["kernel"] // 2 if even else 0,
        ceil_mode=not even,
    )


class Network(nn.Module):
    """Images, NCHW, to logits; parts have the names they have in kresnet.

    Plain, basic and bottleneck blocks in the original order, and VGG's
    convolutions, with batch norm or without any norm.
    """

    def __init__(self, fields, groups):
        super().__init__()
        self.fields = fields
        self.groups = groups
        self.parts = nn.ModuleDict()
        self.norm = fields["batch_norm"]
        height, _, width = fields["input"]
        stem = fields["stem"]
        if stem:
            self._layer("conv1", "conv1_bn", width, stem)
            height, width = height // stem["stride"], stem["width"]
            if stem["pool"]:
                height = -(-height // stem["pool"]["stride"])
        for i, stage in enumerate(fields["stages"], start=2):
            if stage["block"] == "convolutions":
                for j in range(1, stage["layers"] + 1):
                    name = f"conv{i - (not stem)}_{j}"
                    self._layer(name, f"{name}_bn", width, stage)
                    width = stage["width"]
                if stage["pool"]:
                    height = -(-height // stage["pool"]["stride"])
        for name, stage, stride in self._blocks():
            width = self._block(name, stage, stride, width)
        dense = fields["head"]["dense"] if fields["head"] else []
        if dense:
            width *= height**2
        for k, outputs in enumerate(dense, start=len(fields["stages"]) + 1):
            self.parts[f"fc{k}"] = nn.Linear(width, outputs)
            width = outputs
        self.parts["fc"] = nn.Linear(width, fields["classes"])

    def _layer(self, name, norm, before, stage, kernel=3, stride=1, **more):
        """A convolution and its batch norm, or its bias."""
        kernel = stage.get("kernel", kernel)
        if "kernel" in stage:  # the stem
            stride = stage["stride"]
        width = more.pop("width", stage["width"])
        self.parts[name] = nn.Conv2d(
            before,
            width,
            kernel,
            stride,
            kernel // 2,
            bias=self.norm is None,
            **more,
        )
        if self.norm:
            self.parts[norm] = GroupNorm(width, self.norm, self.groups)

    def _block(self, name, stage, stride, before):
        """The layers of a block; returns the channels that it emits."""
        width, output = stage["width"], stage.get("output", stage["width"])
        layers = [(before, width, 3, stride, 1), (width, width, 3, 1, 1)]
        if stage["block"] == "bottleneck":
            first = stage["stride_in"] == "1x1"
            layers = [
                (before, width, 1, stride if first else 1, 1),
                (width, width, 3, 1 if first else stride, stage["groups"]),
                (width, output, 1, 1, 1),
            ]
        for k, (inputs, outputs, kernel, step, groups) in enumerate(layers, 1):
            names = f"{name}_conv{k}", f"{name}_bn{k}"
            sizes = {"width": outputs, "groups": groups}
            self._layer(*names, inputs, stage, kernel, step, **sizes)
        option = stage.get("shortcut")
        changes = stride > 1 or before != output
        if option == "C" or (option == "B" and changes):
            names = f"{name}_shortcut", f"{name}_shortcut_bn"
            self._layer(*names, before, stage, 1, stride, width=output)
        return output

    def _blocks(self):
        for i, stage in enumerate(self.fields["stages"], start=2):
            if stage["block"] == "convolutions":
                continue
            for j in range(1, stage["blocks"] + 1):
                stride = stage["stride"] if j == 1 else 1
                yield f"conv{i}_{j}", stage, stride

    def _of(self, x, name, norm):
        x = self.parts[name](x)
        return self.parts[norm](x) if self.norm else x

    def forward(self, x):
        fields, relu = self.fields, functional.relu
        stem = fields["stem"]
        if stem:
            x = relu(self._of(x, "conv1", "conv1_bn"))
            x = pooled(x, stem["pool"])
        for i, stage in enumerate(fields["stages"], start=1 + bool(stem)):
            if stage["block"] == "convolutions":
                for j in range(1, stage["layers"] + 1):
                    x = relu(self._of(x, f"conv{i}_{j}", f"conv{i}_{j}_bn"))
                x = pooled(x, stage["pool"])
        for name, stage, stride in self._blocks():
            y, last = x, 3 if stage["block"] == "bottleneck" else 2
            for k in range(1, last + 1):
                y = self._of(y, f"{name}_conv{k}", f"{name}_bn{k}")
                y = relu(y) if k < last else y
            if stage["block"] != "plain":
                y = self._shortcut(x, name, y.shape[1], stride) + y
            x = relu(y)
        if fields["head"]:  # kresnet flattens with the channels last
            x = x.permute(0, 2, 3, 1).flatten(1)
            count = len(fields["head"]["dense"])
            first = len(fields["stages"]) + 1
            for k in range(first, first + count):
                x = relu(self.parts[f"fc{k}"](x))
            return self.parts["fc"](x)
        return self.parts["fc"](x.mean((2, 3)))

    def _shortcut(self, x, name, width, stride):
        if f"{name}_shortcut" in self.parts:
            return self._of(x, f"{name}_shortcut", f"{name}_shortcut_bn")
        if stride > 1:
            x = x[:, :, ::stride, ::stride]
        missing = width - x.shape[1]
        return functional.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x

    def load(self, weights):
        """Takes kresnet's arrays, by their paths there."""
        with torch.no_grad():
            for name, part in self.parts.items():
                if isinstance(part, nn.BatchNorm2d):
                    names = {"gamma": part.weight, "beta": part.bias}
                    part.reset_running_stats()
                elif isinstance(part, nn.Linear):
                    names = {"kernel": part.weight.T, "bias": part.bias}
                else:
                    names = {"kernel": part.weight.permute(2, 3, 1, 0)}
                    if part.bias is not None:
                        names["bias"] = part.bias
                for last, parameter in names.items():
                    array = weights[f"{name}/{last}"]
                    parameter.copy_(torch.from_numpy(array))

    def decayed(self, training):
        """Parameters with and without weight decay."""
        with_decay, without = [], []
        for part in self.parts.values():
            is_norm = isinstance(part, nn.BatchNorm2d)
            both = is_norm and training["decay_batch_norm"]
            kernel = with_decay if both or not is_norm else without
            kernel.append(part.weight)
            if part.bias is not None:
                biases = both or (not is_norm and training["decay_biases"])
                (with_decay if biases else without).append(part.bias)
        return with_decay, without
