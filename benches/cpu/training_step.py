"""A network in training in PyTorch, as a process that stays: `python training_step.py NETWORK contiguous|channels_last|bf16 WEIGHTS BATCH THREADS`.

It answers as `models/examples/training.rs` does. `bf16` is autocast, with the channels last.
"""

import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

# PyTorch's definitions of the zoo's networks, that golden values come from.
sys.path.append(str(Path(__file__).parents[2] / "models/tests/golden"))
from make_networks import FcnResNet18, UNet  # noqa: E402

BATCH, SIDE = 8, 256
NETWORKS = {"unet": UNet, "fcn_resnet18": FcnResNet18}


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy and the soft Dice loss of class 1."""
    p, t = logits.softmax(1)[:, 1], targets.float()
    return F.cross_entropy(logits, targets) + 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def main() -> None:
    name, mode, weights, batch, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    tensors = load_file(batch)
    layout = torch.contiguous_format if mode == "contiguous" else torch.channels_last
    network = NETWORKS[name](2)
    network.load_state_dict(load_file(weights), strict=False)
    network = network.to(memory_format=layout).train()
    x, targets = tensors["input"].to(memory_format=layout), tensors["targets"].long()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)

    def step() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=mode == "bf16"):
            logits = network(x).float()
        loss = loss_of(logits, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return logits.detach()

    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        logits = step()
        match line.split():
            case ["run"]:
                print((time.perf_counter() - start) * 1e3, flush=True)
            case ["scores", path]:
                save_file({"output": logits.contiguous()}, path)
                print("written", flush=True)


if __name__ == "__main__":
    main()
