"""What is timed: networks with their weights as a model folder and as ONNX files, and tiles."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import load_file, save_file

import fcn_resnet50

REPOSITORY = Path(__file__).resolve().parents[2]
CLASSES = 6


@dataclass
class Network:
    """A network as each engine reads it."""

    name: str
    model: Path
    onnx: Path
    """For tiles of exactly `shape`."""
    shape: tuple[int, ...]
    """Of a tile: (bands, height, width) or (bands, depth, height, width)."""

    def tile(self) -> np.ndarray:
        """Scaled pixels, the same in every run: from dark to bright, so that trained networks see more than one class, with noise."""
        noise = np.random.default_rng(1).random(self.shape, np.float32)
        return 0.9 * np.linspace(0, 1, self.shape[-1], dtype=np.float32) + 0.1 * noise

    @property
    def pixels(self) -> int:
        """Pixels or voxels of a tile."""
        return int(np.prod(self.shape[1:]))


def fcn_model(swath: Path, folder: Path) -> Path:
    """A model folder of FCN-ResNet50 with random weights."""
    flags = ["--bands", "3", "--classes", str(CLASSES), "--scaling", "scale:255"]
    model = make_model(swath, folder / "fcn_resnet50", ["new", "fcn_resnet50", *flags])
    vary_normalisation(model / "weights.safetensors")
    return model


def make_model(swath: Path, model: Path, arguments: list[str]) -> Path:
    """A model folder of this build of Swath, in place of the one before."""
    shutil.rmtree(model, ignore_errors=True)
    command = [str(swath), "--quiet", "model", *arguments, "--output", str(model)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return model


def vary_normalisation(path: Path) -> None:
    """Gives every batch normalisation statistics and shifts, which are 0 and 1 in new weights and would hide what an engine does wrong."""
    weights, random = load_file(path), np.random.default_rng(2)
    for name in [name.removesuffix(".running_mean") for name in weights if name.endswith(".running_mean")]:
        channels = weights[f"{name}.running_mean"].shape
        weights[f"{name}.running_mean"] = 0.1 * random.standard_normal(channels, np.float32)
        weights[f"{name}.running_var"] = 0.5 + random.random(channels, np.float32)
        weights[f"{name}.bias"] = 0.1 * random.standard_normal(channels, np.float32)
    save_file(weights, path)


def fcn(swath: Path, folder: Path, side: int) -> Network:
    """FCN-ResNet50 on square tiles."""
    model, path = fcn_model(swath, folder), folder / f"fcn_resnet50_{side}.onnx"
    fcn_resnet50.export(model, path, side)
    return Network("FCN-ResNet50", model, path, (3, side, side))


def imported(swath: Path, folder: Path, name: str, file: str, shape: tuple[int, ...]) -> Network | None:
    """A network of the real data, or none where that is missing."""
    data = Path(os.environ.get("SWATH_DATA") or REPOSITORY / "../shared/data")
    source, stem = data / "weights" / file, Path(file).stem
    if not source.exists():
        return None
    # The scores are to be those of the file, whatever they mean.
    classes = ",".join(f"class{number}" for number in range(max(2, output_channels(source))))
    bands = ",".join(str(number) for number in range(1, shape[0] + 1))
    flags = ["--bands", bands, "--scaling", "none", "--classes", classes, "--scores", "probabilities"]
    model, fixed = make_model(swath, folder / stem, ["import", str(source), *flags]), folder / f"{stem}.onnx"
    fix_extent(source, fixed, shape)
    return Network(name, model, fixed, shape)


def output_channels(path: Path) -> int:
    """Channels of a network's output; 0 where the file leaves them open."""
    return onnx.load(path).graph.output[0].type.tensor_type.shape.dim[1].dim_value


def fix_extent(source: Path, path: Path, shape: tuple[int, ...]) -> None:
    """Copies a network for tiles of one extent, which engines compile to something faster than they do for any extent."""
    network = onnx.load(source)
    for dimension, length in zip(network.graph.input[0].type.tensor_type.shape.dim, (1, *shape), strict=True):
        dimension.dim_value = length
    for dimension in network.graph.output[0].type.tensor_type.shape.dim:
        dimension.Clear()
    del network.graph.value_info[:]
    onnx.save(onnx.shape_inference.infer_shapes(network), path)
