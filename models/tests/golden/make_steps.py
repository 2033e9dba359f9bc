"""Writes steps.json: one step of training, as PyTorch makes it: forwards in training mode, loss, backwards, SGD.

    pip install numpy torch torchvision safetensors
    python make_steps.py

Weights are those of make_fcn_resnet50.py, every tensor by its name. The input (samples, 3, h, w), or (samples, 3, d, h, w) where there is a `depth`,
is filled from the generator named `input`, in C order. The targets (samples, h, w) or (samples, d, h, w) are from the generator named "targets": with v = (u + 1) / 2, the target is 255, which does not count, if
v < 0.1, else floor((v - 0.1) / 0.9 * classes). All is computed in f64 from these f32 values.

`loss` is as serde reads `swath_models::train::Loss`, `rule` as it reads `Rule`, and `value` is the loss before the step. For every tensor,
statistics included, `gradient` (none for statistics) and `after`, the values after the step, are summarised by their Euclidean `norm`, the
`largest` magnitude, the sum of products with the generator named "probe", `projection`, and values at eight places evenly apart, `samples`:
element floor(i * count / 8) for i from 0 to 7.

`rounding` is how far PyTorch's own f32 is from its f64: `value` of the loss, `gradient` and `after` at worst of all tensors, relative to a tensor's
norm or its largest value. Where rounding moves an activation over its kink, it moves the gradients of a deep network too, the more the fewer values
a channel has.

The rule is SGD, for AdamW's first step has the same length whatever the gradient. At this rate the step moves most tensors of FCN-ResNet50 by
some 1e-5 of their norm, and what rounding does to gradients moves none by that.
"""

import json
from pathlib import Path

import numpy as np
import torch
from make_fcn_resnet50 import FcnResNet50, uniform
from make_networks import VOLUMES, FcnSmall, UNet, filled
from make_training import term

CLASSES = 3
RATE = 1e-3
RULE = {"kind": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 0.05}
CROSS_ENTROPY = {"kind": "cross_entropy", "class_weights": [0.5, 1.0, 2.0]}


class Logits(torch.nn.Module):
    """FCN-ResNet50 without its softmax."""

    def __init__(self, classes):
        super().__init__()
        self.net = FcnResNet50(classes)

    def forward(self, x):
        size = x.shape[-2:]
        net = self.net
        y = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        s8 = net.layer2(net.layer1(y))
        s16 = net.layer3(s8)
        scores = net.head8(s8), net.head16(s16), net.head32(net.layer4(s16))
        return sum(torch.nn.functional.interpolate(s, size=size, mode="bilinear", align_corners=False) for s in scores)


def targets(samples, size):
    v = (uniform("targets", samples * int(np.prod(size))) + 1) / 2
    classes = np.floor((v - 0.1) / 0.9 * CLASSES).astype(np.int64)
    return torch.from_numpy(np.where(v < 0.1, 255, classes).reshape(samples, *size))


def summary(tensor):
    values = tensor.detach().double().ravel().numpy()
    count = len(values)
    numbers = {
        "norm": np.sqrt((values**2).sum()),
        "largest": np.abs(values).max(),
        "projection": values @ uniform("probe", count),
    }
    digits = {name: float(f"{number:.8g}") for name, number in numbers.items()}
    return {**digits, "samples": [float(f"{values[i * count // 8]:.8g}") for i in range(8)]}


def step(network, net, terms, generator, samples, size, dtype):
    net = net.to(dtype).train()
    decays = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decays, "weight_decay": RULE["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=RULE["momentum"], nesterov=RULE["nesterov"])
    values = uniform(generator, samples * 3 * int(np.prod(size))).reshape(samples, 3, *size)
    scores = net(torch.from_numpy(values).to(dtype))
    # The losses are sums over positions, whatever their axes.
    flat = scores.double().reshape(samples, CLASSES, -1, size[-1])
    labels = targets(samples, size).reshape(samples, -1, size[-1])
    value = sum(term(scores=flat, targets=labels, **t) for t in terms)
    value.backward()
    learned = dict(net.named_parameters())
    gradients = {name: summary(p.grad) for name, p in learned.items()}
    optimizer.step()
    tensors = {}
    for name, tensor in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensors[name.removeprefix("net.")] = {"gradient": gradients.get(name), "after": summary(tensor)}
    return {
        "network": network,
        "input": generator,
        "samples": samples,
        **({"depth": size[0]} if len(size) == 3 else {}),
        "height": size[-2],
        "width": size[-1],
        "classes": CLASSES,
        "loss": terms,
        "rule": RULE,
        "rate": RATE,
        "value": value.item(),
        "tensors": tensors,
    }


def distance(single, exact):
    """How far two steps are apart."""
    worst = {"value": abs(single["value"] / exact["value"] - 1), "gradient": 0.0, "after": 0.0}
    for name, tensor in exact["tensors"].items():
        for part, golden in tensor.items():
            if golden:
                other = single["tensors"][name][part]
                sums = [abs(other[key] - golden[key]) / golden["norm"] for key in ("norm", "projection")]
                samples = [abs(a - b) / golden["largest"] for a, b in zip(other["samples"], golden["samples"])]
                worst[part] = max(worst[part], *sums, *samples)
    return {part: float(f"{distance:.2g}") for part, distance in worst.items()}


def main():
    dice = {"kind": "dice", "weight": 1.0, "classes": [1, 2]}
    # `filled` by the names of the zoo, which do not have the wrapper's prefix.
    fcn = lambda: (lambda net: (filled(net.net), net)[1])(Logits(CLASSES))
    cases = [
        ("fcn_resnet50", fcn, [CROSS_ENTROPY], "input1", 4, (128, 128)),
        ("unet", lambda: filled(UNet(CLASSES)), [CROSS_ENTROPY, dice], "input", 2, (32, 48)),
        ("fcn_small", lambda: filled(FcnSmall(CLASSES)), [CROSS_ENTROPY, dice], "input", 4, (65, 72)),
        # One volume, as candle takes no more.
        ("unet_3d", lambda: filled(UNet(CLASSES, layers=VOLUMES)), [CROSS_ENTROPY, dice], "input", 1, (32, 48, 48)),
    ]
    golden = []
    for name, make, *rest in cases:
        exact = step(name, make(), *rest, torch.float64)
        exact["rounding"] = distance(step(name, make(), *rest, torch.float32), exact)
        print(f"{name}: loss {exact['value']:.6f}, f32 to f64 {exact['rounding']}")
        golden.append(exact)
    path = Path(__file__).with_name("steps.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
