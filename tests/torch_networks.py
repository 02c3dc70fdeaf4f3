"""Networks of other programs; run by a Python that has torch beside them.

    python torch_networks.py make PROGRAM NAME OUT     weights and logits
    python torch_networks.py load PROGRAM NAME FILE    a state dict, strictly

For `make`, OUT.safetensors is a state dict of drawn numbers and OUT.npz has
`images`, standardised, float32 `(2, height, width, 3)`, and `logits`, float64
`(2, classes)`, of that network in float64 and in inference.
"""

import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file


def network(program, name):
    if program == "torchvision":
        from torchvision import models

        return getattr(models, name)(weights=None)
    if program == "timm":
        import timm

        return timm.create_model(name, pretrained=False)
    return CifarResNet(int(name.removeprefix("resnet")), program == "akamaster")


class CifarResNet(torch.nn.Module):
    """Of chenyaofo/pytorch-cifar-models, or akamaster/pytorch_resnet_cifar10.

    The first has torchvision's blocks; the second pads its shortcuts with
    channels of zeros on both sides and calls its classifier otherwise.
    """

    def __init__(self, layers, padded):
        from torchvision.models.resnet import BasicBlock, conv1x1, conv3x3

        super().__init__()
        self.conv1, self.bn1 = conv3x3(3, 16), torch.nn.BatchNorm2d(16)
        before = 16
        for i, width in enumerate((16, 32, 64), start=1):
            stride = 1 if i == 1 else 2
            blocks = []
            for j in range((layers - 2) // 6):
                change = None
                if j == 0 and padded and i > 1:
                    change = Padded(width // 4)
                elif j == 0 and i > 1:
                    change = torch.nn.Sequential(
                        conv1x1(before, width, stride),
                        torch.nn.BatchNorm2d(width),
                    )
                blocks.append(
                    BasicBlock(before, width, 1 if j else stride, change)
                )
                before = width
            setattr(self, f"layer{i}", torch.nn.Sequential(*blocks))
        self.last = "linear" if padded else "fc"
        setattr(self, self.last, torch.nn.Linear(64, 10))

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return getattr(self, self.last)(x.mean((2, 3)))


class Padded(torch.nn.Module):
    """Every second pixel, with `width` channels of zeros on either side."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        sides = (0, 0, 0, 0, self.width, self.width)
        return torch.nn.functional.pad(x[:, :, ::2, ::2], sides)


def make(program, name, out):
    torch.manual_seed(0)
    made = network(program, name).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.3, 0.9)
            module.bias.data.uniform_(-0.2, 0.2)
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    save_file(made.state_dict(), f"{out}.safetensors")
    cifar = program not in ("torchvision", "timm")
    side = 32 if cifar else 224 if name.startswith("vgg") else 96
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        logits = made.double()(images.double())
    images = images.permute(0, 2, 3, 1)
    np.savez(f"{out}.npz", images=images.numpy(), logits=logits.numpy())


def load(program, name, file):
    network(program, name).load_state_dict(load_file(file), strict=True)


if __name__ == "__main__":
    {"make": make, "load": load}[sys.argv[1]](*sys.argv[2:])
