"""Writes training.json: losses with their gradients, and steps of optimisers, as PyTorch computes them.

    pip install numpy torch
    python make_training.py

`losses`: `loss` as serde reads `swath_models::train::Loss`; `scores` (samples, height, width, classes) and `targets` (samples, height, width)
as flat lists, the target 255 does not count; `value` and `gradient`, like the scores. Computed in f64 from scores that f32 holds.

`optimizers`: `rule` as serde reads `swath_models::train::Rule`; the `initial` values and the `gradients` of every step of a kernel and of a bias,
one after the other (weight decay is for the kernel); the `rates` of the steps, and the values after each. Computed in f32.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

IGNORE = 255
random = np.random.default_rng(20251120)


def floats(tensor):
    """With as many digits as an f32 needs."""
    return [float(f"{v:.9g}") for v in tensor.detach().double().ravel()]


def term(kind, scores, targets, weight=1.0, class_weights=None, classes=None, smooth=1.0, gamma=2.0, alpha=None):
    """One term for scores (samples, classes, height, width)."""
    if kind == "cross_entropy":
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64)
        return weight * F.cross_entropy(scores, targets, weights, ignore_index=IGNORE)
    counts = targets != IGNORE
    logs = F.log_softmax(scores, 1).permute(0, 2, 3, 1)[counts]
    truth = targets[counts]
    if kind == "focal":
        logs = logs.gather(1, truth[:, None])[:, 0]
        factors = torch.ones_like(logs) if alpha is None else torch.tensor(alpha, dtype=torch.float64)[truth]
        return weight * (-factors * (1 - logs.exp()) ** gamma * logs).mean()
    assert kind == "dice"
    chosen = range(scores.shape[1]) if classes is None else classes
    ratios = []
    for c in chosen:
        p, t = logs.exp()[:, c], (truth == c).double()
        ratios.append((2 * (p * t).sum() + smooth) / (p.sum() + t.sum() + smooth))
    return weight * (1 - torch.stack(ratios)).mean()


def loss(name, terms, classes=4, extent=(2, 4, 5), ignored=0.2, scale=2.0):
    scores = torch.from_numpy((scale * random.standard_normal((extent[0], classes, *extent[1:]))).astype(np.float32)).double()
    targets = random.integers(0, classes, extent)
    targets[random.random(extent) < ignored] = IGNORE
    targets = torch.from_numpy(targets)
    scores.requires_grad_()
    value = sum(term(scores=scores, targets=targets, **t) for t in terms)
    value.backward()
    last = (0, 2, 3, 1)
    return {
        "name": name,
        "loss": terms,
        "samples": extent[0],
        "height": extent[1],
        "width": extent[2],
        "classes": classes,
        "scores": floats(scores.permute(last)),
        "targets": [int(t) for t in targets.ravel()],
        "value": value.item(),
        "gradient": floats(scores.grad.permute(last)),
    }


def optimizer(rule, steps=5, kernel=12, bias=4):
    settings = dict(rule)
    kind = settings.pop("kind")
    decay = settings.pop("weight_decay")
    if kind == "adamw":
        settings = {"betas": (settings["beta1"], settings["beta2"]), "eps": settings["epsilon"]}
    make = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind]
    initial = torch.from_numpy(random.standard_normal(kernel + bias).astype(np.float32))
    tensors = [torch.nn.Parameter(part.clone()) for part in initial.split([kernel, bias])]
    groups = [{"params": [tensors[0]], "weight_decay": decay}, {"params": [tensors[1]], "weight_decay": 0.0}]
    rates = [float(rate) for rate in 0.05 * random.random(steps)]
    torch_optimizer = make(groups, lr=0.1, **settings)
    gradients, after = [], []
    for rate in rates:
        gradient = torch.from_numpy(random.standard_normal(kernel + bias).astype(np.float32))
        for tensor, part in zip(tensors, gradient.split([kernel, bias])):
            tensor.grad = part.clone()
        for group in torch_optimizer.param_groups:
            group["lr"] = rate
        torch_optimizer.step()
        gradients.append(floats(gradient))
        after.append(floats(torch.cat([t.detach() for t in tensors])))
    return {"rule": rule, "initial": floats(initial), "rates": rates, "gradients": gradients, "after": after}


def main():
    plain = {"kind": "cross_entropy"}
    weighted = {"kind": "cross_entropy", "weight": 0.5, "class_weights": [0.2, 3.0, 0.0, 1.5]}
    adamw = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}
    sgd = {"kind": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 0.01}
    golden = {
        "losses": [
            loss("cross_entropy", [plain]),
            loss("cross_entropy_without_ignored", [plain], ignored=0.0),
            loss("cross_entropy_of_large_logits", [plain], scale=60.0),
            loss("cross_entropy_with_class_weights", [weighted]),
            loss("dice", [{"kind": "dice"}]),
            loss("dice_of_some_classes", [{"kind": "dice", "weight": 2.0, "classes": [1, 3], "smooth": 0.25}]),
            loss("focal", [{"kind": "focal"}]),
            loss("focal_below_one", [{"kind": "focal", "gamma": 0.5, "alpha": [1.0, 0.25, 0.75, 2.0]}]),
            loss("focal_of_large_logits", [{"kind": "focal", "gamma": 1.5}], scale=10.0),
            loss("focal_without_modulation", [{"kind": "focal", "weight": 0.5, "gamma": 0.0}]),
            loss("two_classes", [plain, {"kind": "dice", "classes": [1]}], classes=2),
            loss("all", [weighted, {"kind": "dice", "weight": 0.3}, {"kind": "dice", "classes": [2]}, {"kind": "focal", "gamma": 3.0}]),
        ],
        "optimizers": [
            optimizer(adamw),
            optimizer({**adamw, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weight_decay": 0.5}),
            optimizer(sgd),
            optimizer({**sgd, "nesterov": True, "momentum": 0.7}),
            optimizer({**sgd, "momentum": 0.0, "weight_decay": 0.0}),
        ],
    }
    path = Path(__file__).with_name("training.json")
    path.write_text(json.dumps(golden) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
