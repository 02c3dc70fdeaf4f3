"""The networks of He et al. 2015, section 4.2, in PyTorch."""

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


class Network(nn.Module):
    """Images, NCHW, to logits; parts have the names they have in kresnet."""

    def __init__(self, fields, groups):
        super().__init__()
        self.fields = fields
        self.parts = nn.ModuleDict()

        def conv(name, before, width, kernel, stride):
            self.parts[name] = nn.Conv2d(
                before, width, kernel, stride, kernel // 2, bias=False
            )

        def norm(name, width):
            self.parts[name] = GroupNorm(width, fields["batch_norm"], groups)

        stem = fields["stem"]
        width = stem["width"]
        conv("conv1", fields["input"][2], width, stem["kernel"], stem["stride"])
        norm("conv1_bn", width)
        for name, stage, stride in self._blocks():
            before, width = width, stage["width"]
            conv(f"{name}_conv1", before, width, 3, stride)
            norm(f"{name}_bn1", width)
            conv(f"{name}_conv2", width, width, 3, 1)
            norm(f"{name}_bn2", width)
            option = stage.get("shortcut")
            changes = stride > 1 or before != width
            if option == "C" or (option == "B" and changes):
                conv(f"{name}_shortcut", before, width, 1, stride)
                norm(f"{name}_shortcut_bn", width)
        self.parts["fc"] = nn.Linear(width, fields["classes"])

    def _blocks(self):
        for i, stage in enumerate(self.fields["stages"], start=2):
            for j in range(1, stage["blocks"] + 1):
                stride = stage["stride"] if j == 1 else 1
                yield f"conv{i}_{j}", stage, stride

    def forward(self, x):
        part = self.parts
        x = functional.relu(part["conv1_bn"](part["conv1"](x)))
        for name, stage, stride in self._blocks():
            y = part[f"{name}_bn1"](part[f"{name}_conv1"](x))
            y = part[f"{name}_conv2"](functional.relu(y))
            y = part[f"{name}_bn2"](y)
            if stage["block"] == "basic":
                y = self._shortcut(x, name, stage["width"], stride) + y
            x = functional.relu(y)
        return part["fc"](x.mean((2, 3)))

    def _shortcut(self, x, name, width, stride):
        if f"{name}_shortcut" in self.parts:
            x = self.parts[f"{name}_shortcut"](x)
            return self.parts[f"{name}_shortcut_bn"](x)
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
