"""Writes networks.safetensors: what PyTorch computes for networks of the zoo with weights that a formula gives.

    pip install numpy torch torchvision safetensors
    python make_networks.py

Weights and inputs are those of make_fcn_resnet50.py: every tensor by its name, every input (3, h, w) from a fresh generator named "input".
3 bands, 3 classes; BatchNorm uses its running statistics.

Stored, all f32:
    {network}_{h}x{w}    (3, h, w)   the logits, computed in f64 and rounded once
"""

from pathlib import Path

import torch
from make_fcn_resnet50 import fill
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F


PLANES = nn.Conv2d, nn.BatchNorm2d, nn.ConvTranspose2d, nn.MaxPool2d
VOLUMES = nn.Conv3d, nn.BatchNorm3d, nn.ConvTranspose3d, nn.MaxPool3d


def double_conv(inputs, width, conv=nn.Conv2d, norm=nn.BatchNorm2d):
    return nn.Sequential(
        conv(inputs, width, 3, padding=1, bias=False), norm(width), nn.ReLU(),
        conv(width, width, 3, padding=1, bias=False), norm(width), nn.ReLU())  # fmt: skip


class UNet(nn.Module):
    def __init__(self, classes, widths=(16, 32, 64, 128, 256), layers=PLANES):
        super().__init__()
        conv, norm, transposed, pool = layers
        self.down = nn.ModuleList(double_conv(*pair, conv, norm) for pair in zip((3, *widths), widths))
        steps = widths[-2::-1]
        self.up = nn.ModuleList(transposed(inputs, width, 2, stride=2) for inputs, width in zip(widths[::-1], steps))
        self.dec = nn.ModuleList(double_conv(2 * width, width, conv, norm) for width in steps)
        self.head = conv(widths[0], classes, 1)
        self.pool = pool(2)

    def forward(self, x):
        x = self.down[0](x)
        levels = []
        for block in self.down[1:]:
            levels.append(x)
            x = block(self.pool(x))
        for up, dec in zip(self.up, self.dec):
            x = dec(torch.cat([levels.pop(), up(x)], 1))
        return self.head(x)


class BasicBlock(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.skip = None
        if stride != 1 or inputs != width:
            self.skip = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.skip is None else self.skip(x)))


def stage(inputs, width, stride, blocks):
    return nn.Sequential(BasicBlock(inputs, width, stride), *(BasicBlock(width, width, 1) for _ in range(blocks - 1)))


def resize(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class FcnResNet18(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layer1 = stage(64, 64, 1, 2)
        self.layer2 = stage(64, 128, 2, 2)
        self.layer3 = stage(128, 256, 2, 2)
        self.layer4 = stage(256, 512, 2, 2)
        self.head8 = nn.Conv2d(128, classes, 1)
        self.head16 = nn.Conv2d(256, classes, 1)
        self.head32 = nn.Conv2d(512, classes, 1)

    def forward(self, x):
        s8 = self.layer2(self.layer1(self.stem(x)))
        s16 = self.layer3(s8)
        y = self.head32(self.layer4(s16))
        for finer in (self.head16(s16), self.head8(s8)):
            y = resize(y, finer.shape[-2:]) + finer
        return resize(y, x.shape[-2:])


class FcnSmall(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.layer1 = stage(16, 16, 2, 1)
        self.layer2 = stage(16, 32, 2, 2)
        self.layer3 = stage(32, 64, 2, 1)
        self.layer4 = stage(64, 96, 2, 1)
        self.layer5 = stage(96, 128, 2, 1)
        for stride, width in zip((1, 2, 4, 8, 16, 32), (16, 16, 32, 64, 96, 128)):
            self.add_module(f"head{stride}", nn.Conv2d(width, classes, 1))

    def forward(self, x):
        size = x.shape[-2:]
        x = self.stem(x)
        y = self.head1(x)
        for layer, head in (
            (self.layer1, self.head2), (self.layer2, self.head4), (self.layer3, self.head8),
            (self.layer4, self.head16), (self.layer5, self.head32),
        ):  # fmt: skip
            x = layer(x)
            y = y + resize(head(x), size)
        return y


def filled(net):
    """The network with weights by the formula."""
    state = {
        name: torch.from_numpy(fill(name, tuple(t.shape)))
        for name, t in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    missing = net.load_state_dict(state, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
    return net


NETWORKS = {
    "unet": (UNet, [(32, 48)]),
    "fcn_resnet18": (FcnResNet18, [(64, 64), (33, 40)]),
    "fcn_small": (FcnSmall, [(64, 64), (33, 40)]),
}


def main():
    golden = {}
    for name, (network, sizes) in NETWORKS.items():
        net = filled(network(classes=3)).eval().double()
        print(f"{name}: {sum(p.numel() for p in net.parameters())} learned values")
        for height, width in sizes:
            with torch.inference_mode():
                logits = net(torch.from_numpy(fill("input", (1, 3, height, width))).double())[0]
            labels = torch.bincount(logits.argmax(0).ravel(), minlength=3).tolist()
            print(f"  {height} x {width}: logits {logits.min():.3f} to {logits.max():.3f}, labels {labels}")
            golden[f"{name}_{height}x{width}"] = logits.float().numpy()
    path = Path(__file__).with_name("networks.safetensors")
    save_file(golden, path)
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
