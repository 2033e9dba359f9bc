"""Saves networks of torchvision and segmentation_models_pytorch whole, and imports each strictly: every tensor must have its place.

    pip install torch torchvision segmentation-models-pytorch safetensors
    python check_libraries.py target/release/swath

Nothing is written beside a temporary folder. Random weights, 3 bands, 21 classes; both formats of torch.save. The values of the model folder are
compared with those of the state_dict, one by one.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import segmentation_models_pytorch as smp
import torch
from safetensors.torch import load_file
from torchvision.models import segmentation

CLASSES = 21


def torchvision(name):
    return name, getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)


def networks():
    for name in ["fcn_resnet50", "fcn_resnet101"]:
        yield f"torchvision_{name}", torchvision(name)[1]
    for name in ["deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large"]:
        yield torchvision(name)
    for name, build in [("unet", smp.Unet), ("fpn", smp.FPN), ("pspnet", smp.PSPNet), ("deeplabv3plus", smp.DeepLabV3Plus)]:
        for encoder in ["resnet34", "resnet50"]:
            yield f"smp_{name}_{encoder}", build(encoder, encoder_weights=None, in_channels=3, classes=CLASSES)


def main():
    swath = Path(sys.argv[1]).resolve()
    classes = ",".join(f"c{index}" for index in range(CLASSES))
    failed = 0
    for number, (name, network) in enumerate(networks()):
        with tempfile.TemporaryDirectory() as folder:
            file, model = Path(folder) / "weights.pth", Path(folder) / "model"
            state = network.state_dict()
            torch.save(state, file, _use_new_zipfile_serialization=number % 2 == 0)
            arguments = ["model", "import", file, "--network", name, "--bands", "1,2,3", "--classes", classes]
            run = subprocess.run([swath, *arguments, "--scaling", "none", "--scores", "logits", "--output", model], capture_output=True, text=True)
            if run.returncode:
                failed += 1
                print(f"{name}: FAILED: {run.stderr.strip()[:300]}")
                continue
            loaded = load_file(model / "weights.safetensors")
            differ = [key for key, value in loaded.items() if not torch.equal(value, state[key])]
            left = [key for key in state if key not in loaded and not key.endswith("num_batches_tracked")]
            others = sorted({key.split(".")[0] for key in left})
            failed += bool(differ)
            print(f"{name}: {len(loaded)} tensors, {len(differ)} differ; left in the file: {len(left)} {' '.join(others)}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
