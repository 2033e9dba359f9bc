"""Writes fcn_resnet50.safetensors: what PyTorch computes for the seed network with weights that a formula gives.

    pip install numpy torch torchvision safetensors
    python make_fcn_resnet50.py

The network is torchvision's ResNet-50 with a 1x1 convolution with bias (`head8`, `head16`, `head32`) on the maps of stride 8, 16 and 32
(after layer2, layer3 and layer4). Each result is resized bilinearly (align_corners=False) to the input's size; they are summed in that
order, and a softmax over the classes follows. 3 bands, 6 classes. BatchNorm uses its running statistics and epsilon 1e-5.

The weights and the input are not stored. Every tensor is filled in C order from its own generator, and Rust can repeat every bit:

    state   = FNV-1a 64 of the tensor's name in UTF-8
              (hash = 0xcbf29ce484222325; for each byte: hash = (hash XOR byte) * 0x100000001b3 modulo 2^64)
    per value, SplitMix64, all modulo 2^64:
        state = state + 0x9e3779b97f4a7c15
        z     = state
        z     = (z XOR (z >> 30)) * 0xbf58476d1ce4e5b9
        z     = (z XOR (z >> 27)) * 0x94d049bb133111eb
        z     =  z XOR (z >> 31)
        u     = (z >> 40) * 2^-23 - 1        the top 24 bits: in [-1, 1), a multiple of 2^-23, exact in f32 and f64
    value   = f32(scaled u), computed in f64 in the order of operations written here and rounded once:
        input                                    u
        conv and downsample.0 `weight`           u * sqrt(6.0 / fan_in)        fan_in = in_channels * kernel_height * kernel_width
        head8, head16, head32 `weight`           u * sqrt(3.0 / fan_in)
        head8, head16, head32 `bias`             0.1 * u
        BatchNorm `weight`                       0.75 + 0.25 * u
        BatchNorm `weight` of every `bn3`        0.3 * (0.75 + 0.25 * u)       so that 16 residual sums stay of the order of 1
        BatchNorm `bias`, `running_mean`         0.1 * u
        BatchNorm `running_var`                  1.0 + 0.5 * u

Stored, all f32:
    probabilities_{h}x{w}        (6, h, w)   for the input (3, h, w), each from a fresh generator named "input"; run at exactly this size
    mean_layer{1..4}, std_...    (1)         of all values after layer1 to layer4 for 64 x 64 (std: divided by n), to find where things part
    values_{tensor}              (4)         the first values of some tensors, to find whether the generators agree
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet50

SIZES = [(64, 64), (32, 96), (65, 97), (33, 40), (1, 1)]
FIRST_VALUES = ["input", "conv1.weight", "bn1.running_var", "layer1.0.bn3.weight", "layer4.2.conv2.weight", "head32.bias"]


def uniform(name, count, start=0):
    """`count` values in [-1, 1) as f64, from the generator's value `start` on."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(start + 1, start + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0


def fill(name, shape):
    """The tensor of that name and shape as f32."""
    u = uniform(name, int(np.prod(shape))).reshape(shape)
    part = name.split(".")[-1]
    if name == "input":
        value = u
    elif name.startswith("head"):
        value = u * np.sqrt(3.0 / np.prod(shape[1:])) if part == "weight" else 0.1 * u
    elif len(shape) == 4:
        value = u * np.sqrt(6.0 / np.prod(shape[1:]))
    elif part == "weight":
        value = 0.75 + 0.25 * u
        value = 0.3 * value if name.split(".")[-2] == "bn3" else value
    elif part in ("bias", "running_mean"):
        value = 0.1 * u
    else:
        assert part == "running_var", name
        value = 1.0 + 0.5 * u
    return value.astype(np.float32)


class FcnResNet50(nn.Module):
    def __init__(self, classes):
        super().__init__()
        # torchvision's network; registered under the names that its own state dict has.
        resnet = resnet50(weights=None)
        for name, child in resnet.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, child)
        self.head8 = nn.Conv2d(512, classes, 1)
        self.head16 = nn.Conv2d(1024, classes, 1)
        self.head32 = nn.Conv2d(2048, classes, 1)

    def logits(self, x):
        """With the maps of the four stages."""
        size = x.shape[-2:]
        y = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            y = layer(y)
            maps.append(y)
        scores = [head(y) for head, y in zip((self.head8, self.head16, self.head32), maps[1:])]
        resized = [F.interpolate(s, size=size, mode="bilinear", align_corners=False) for s in scores]
        return resized[0] + resized[1] + resized[2], maps

    def forward(self, x):
        logits, maps = self.logits(x)
        return F.softmax(logits, dim=1), maps


def main():
    torch.backends.mkldnn.enabled = False  # plain kernels: what is stored depends less on the machine
    net = FcnResNet50(classes=6).eval()
    state = {
        name: torch.from_numpy(fill(name, tuple(t.shape)))
        for name, t in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    missing = net.load_state_dict(state, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
    values = sum(t.numel() for t in state.values())
    print(f"{len(state)} tensors, {values} values")

    golden = {}
    for name in FIRST_VALUES:
        tensor = fill(name, (3, 64, 64)) if name == "input" else state[name].numpy()
        golden[f"values_{name}"] = tensor.ravel()[:4].copy()
    with torch.inference_mode():
        single = {size: net(torch.from_numpy(fill("input", (1, 3, *size)))) for size in SIZES}
        net = net.double()
        for (height, width), (probabilities, maps) in single.items():
            exact, _ = net(torch.from_numpy(fill("input", (1, 3, height, width))).double())
            difference = (exact - probabilities.double()).abs().max().item()
            counts = torch.bincount(probabilities[0].argmax(0).ravel(), minlength=6).tolist()
            low, high = probabilities.min().item(), probabilities.max().item()
            print(f"{height} x {width}: f32 to f64 {difference:.2e}, probabilities {low:.4f} to {high:.4f}, labels {counts}")
            assert difference < 1e-6
            golden[f"probabilities_{height}x{width}"] = probabilities[0].numpy()
            if (height, width) == (64, 64):
                for number, y in enumerate(maps, start=1):
                    mean, std = y.double().mean().item(), y.double().std(correction=0).item()
                    print(f"  layer{number} {tuple(y.shape[1:])}: mean {mean:.5f} std {std:.5f} max {y.max():.3f}")
                    golden[f"mean_layer{number}"] = np.array([mean], np.float32)
                    golden[f"std_layer{number}"] = np.array([std], np.float32)
    path = Path(__file__).with_name("fcn_resnet50.safetensors")
    save_file(golden, path)
    for name in FIRST_VALUES:
        print(f"  {name}: {golden[f'values_{name}']}")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
