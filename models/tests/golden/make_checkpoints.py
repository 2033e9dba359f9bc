"""Writes checkpoints/: small files of weights as PyTorch writes them, and files that look like such and are refused.

    pip install numpy torch safetensors
    python make_checkpoints.py

expected.safetensors, all f32, holds what the files must give: `tiny.NAME` for those with the state_dict of Tiny, `views.NAME` for views*.pt.
"""

import argparse
import collections
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).parent / "checkpoints"


def values(*shape, start=0):
    count = int(np.prod(shape))
    # Eighths are exact in every type.
    return ((torch.arange(count, dtype=torch.float32) + start) % 61 / 8 - 3).reshape(shape)


class Tiny(torch.nn.Module):
    """A convolution, a norm and a head whose weights are tied to a buffer."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, bias=False)
        self.bn = torch.nn.BatchNorm2d(4)
        self.head = torch.nn.Conv2d(4, 2, 1)
        with torch.no_grad():
            for index, parameter in enumerate([*self.parameters(), self.bn.running_mean, self.bn.running_var]):
                parameter.copy_(values(*parameter.shape, start=7 * index))

    def forward(self, x):
        return self.head(torch.relu(self.bn(self.conv(x))))


def views():
    """Tensors of every type, and such as do not have a storage of their own in C order."""
    base = values(6, 8)
    shared = values(40)
    return {
        "double": values(5, 3).double(),
        "half": values(5, 3).half(),
        "brief": values(5, 3).bfloat16(),
        "transposed": base.t(),
        "column": base[:, 3],
        "part": base[2:5, 1:7:2],
        "first": shared[:20].reshape(4, 5),
        "second": shared[20:],
        "tied": shared[:20].reshape(4, 5),
        "channels_last": values(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(values(3)),
        "bn.num_batches_tracked": torch.tensor(7),
    }


def main():
    OUT.mkdir(exist_ok=True)
    tiny, all_views = Tiny().eval(), views()
    save = lambda name, object, **options: torch.save(object, OUT / name, **options)
    legacy = {"_use_new_zipfile_serialization": False}

    save("state_dict.pt", tiny.state_dict())
    save("state_dict_legacy.pth", tiny.state_dict(), **legacy)
    save("state_dict_protocol4.bin", tiny.state_dict(), pickle_protocol=4)
    save("views.pt", all_views)
    save("views_legacy.pt", all_views, **legacy)

    optimizer = torch.optim.AdamW(tiny.parameters())
    tiny(values(1, 3, 8, 8)).sum().backward()
    before = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    optimizer.step()
    lightning = {
        "epoch": 3,
        "global_step": 120,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": collections.OrderedDict((f"model.{name}", tensor) for name, tensor in before.items()),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
        "hyper_parameters": {"lr": 1e-3, "bands": ["red", "green", "blue"], "ignore_index": None},
    }
    save("lightning.ckpt", lightning)
    segmentor = {"meta": {"epoch": 1, "CLASSES": ("land", "water"), "best": np.float64(0.75)}, "state_dict": {}}
    segmentor["state_dict"] = collections.OrderedDict((f"module.{name}", tensor) for name, tensor in before.items())
    segmentor["state_dict"]["module.auxiliary_head.conv_seg.weight"] = values(2, 4, 1, 1)
    save("mmsegmentation.pth", segmentor)

    # What is refused.
    save("module.pt", tiny)
    torch.jit.script(tiny).save(OUT / "torchscript.pt")
    torch.export.save(torch.export.export(Tiny().eval(), (values(1, 3, 8, 8),)), OUT / "exported.pt2")
    save("integers.pt", {"weight": torch.arange(6)})
    save("quantised.pt", {"weight": torch.quantize_per_tensor(values(4), 0.1, 0, torch.qint8)})
    save("namespace.pt", {"args": argparse.Namespace(lr=0.1), "model": before})

    expected = {f"tiny.{name}": tensor for name, tensor in before.items() if tensor.is_floating_point()}
    expected |= {f"views.{name}": tensor for name, tensor in all_views.items() if tensor.is_floating_point()}
    expected = {name: tensor.detach().float().contiguous().clone() for name, tensor in expected.items()}
    save_file(expected, OUT / "expected.safetensors")


if __name__ == "__main__":
    main()
