"""Labels a real scene with every network of the zoo, and times Swath and ONNX Runtime in turn on the same weights and tiles: `make bench-zoo`.

    python zoo.py SWATH RESIDENT FOLDER THREADS ROUNDS SCENE VOLUME [NETWORK ...]

The networks are those of models/tests/golden/make_zoo.py, from independent implementations and with its weights: their state dicts become the
weights of Swath's model folders as they are, and their ONNX exports go to ONNX Runtime. SCENE has at least three bands; of it 256 x 256 pixels
are labelled. Networks of volumes label all of VOLUME, with one band and random weights, in tiles of 64. A row whose engine is missing says why. Times are those that threads were running, the least of all turns: with THREADS=1, what
else the machine does hardly changes them.
"""

import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

from networks import REPOSITORY, Network, make_model
from resident import Engine, time_in_turn
from table import print_row

sys.path.insert(0, str(REPOSITORY / "models/tests/golden"))
from make_zoo import CLASSES, NETWORKS, fill, made, tensors  # noqa: E402

HEADER = ["network", "tile", "segment", "swath s", "onnxruntime s", "swath / onnxruntime", "difference"]
# Tiles of (height, width) or (depth, height, width), where 256 x 256 will not do: for PyTorch's exporter, maps are multiples of PSPNet's bins.
TILES = {
    "unet_paper": (252, 252),
    **{f"smp_pspnet_{backbone}": (288, 288) for backbone in ["resnet34", "resnet50", "resnet101"]},
    **{name: (64, 64, 64) for name in ["unet_3d", "monai_unet_3d", "monai_basic_unet_3d"]},
}

class Probabilities(nn.Module):
    """A network as Swath runs it: with a softmax after its logits."""

    def __init__(self, net: nn.Module, run) -> None:
        super().__init__()
        self.net, self.logits = net, run

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.logits(image).softmax(1)


class MaxPool(torch.autograd.Function):
    """A pooling with the indices as ONNX counts them, from the first value of the tensor on; PyTorch counts from that of the channel."""

    @staticmethod
    def forward(context, x, kernel, stride):
        return pool(x, kernel, stride, return_indices=True)

    @staticmethod
    def symbolic(graph, x, kernel, stride):
        return graph.op("MaxPool", x, kernel_shape_i=[kernel] * 2, strides_i=[stride] * 2, outputs=2)


class MaxUnpool(torch.autograd.Function):
    """ONNX's operator, for which PyTorch's exporter has no symbol."""

    @staticmethod
    def forward(context, x, indices, kernel, stride, size):
        return unpool(x, indices, kernel, stride, output_size=size)

    @staticmethod
    def symbolic(graph, x, indices, kernel, stride, size):
        return graph.op("MaxUnpool", x, indices, kernel_shape_i=[kernel] * 2, strides_i=[stride] * 2)


pool, unpool = functional.max_pool2d, functional.max_unpool2d


@contextmanager
def unpooling() -> Iterator[None]:
    """In which PyTorch exports poolings with indices, and what undoes them."""

    def pool_or_both(x, kernel, stride=None, *more, return_indices=False, **options):
        return MaxPool.apply(x, kernel, stride) if return_indices else pool(x, kernel, stride, *more, **options)

    def undo(x, indices, kernel, stride, output_size):
        return MaxUnpool.apply(x, indices, kernel, stride, [int(side) for side in output_size])

    functional.max_pool2d, functional.max_unpool2d = pool_or_both, undo
    try:
        yield
    finally:
        functional.max_pool2d, functional.max_unpool2d = pool, unpool


def prepare(name: str, program: Path, folder: Path) -> tuple[Network, Probabilities]:
    """A model folder with the weights of the independent implementation, and that."""
    make, _, _ = NETWORKS[name]
    net, run = made(make)
    values = {key: fill(key, shape) for key, shape in tensors(net).items()}
    net.load_state_dict({key: torch.from_numpy(value) for key, value in values.items()}, strict=False)
    flags = ["--bands", "3", "--classes", str(CLASSES), "--scaling", "scale:255"]
    model = make_model(program, folder / name, ["new", name, *flags])
    save_file(values, model / "weights.safetensors")
    shape = (3, *TILES.get(name, (256, 256)))
    return Network(name, model, folder / f"{name}.onnx", shape), Probabilities(net.eval(), run).eval()


def export(network: Network, net: Probabilities) -> str:
    """Writes the ONNX file; what stands in the way, if anything does."""
    try:
        with warnings.catch_warnings(), unpooling():
            warnings.simplefilter("ignore")
            tile = torch.from_numpy(network.tile())[None]
            torch.onnx.export(net, (tile,), str(network.onnx), opset_version=17, dynamo=False)
    except Exception as error:  # noqa: BLE001 - whatever PyTorch's exporter cannot do is the result
        return f"no ONNX: {str(error).splitlines()[0][:60]}"
    return ""


def segment(network: Network, program: Path, folder: Path, threads: str, scene: Path, volume: Path) -> str:
    """Labels a part of the scene, or the volume."""
    command = [program, "segment", scene, "--model", network.model, "--output", folder / "labels.tif", "--overwrite"]
    options = ["--threads", threads, "--progress", "none", "--quiet"]
    if len(network.shape) == 4:
        flags = ["--bands", "1", "--classes", str(CLASSES), "--volume", '{"axes":"SPL","intensity":[{"type":"z-score-volume"}]}']
        model = make_model(program, folder / "volumes", ["new", network.name, *flags])
        command = [program, "segment", volume, "--model", model, "--output", folder / "labels.nii.gz", "--overwrite", "--tile", "64"]
    else:
        options += ["--bands", "1,2,3", "--window", "0,0,256,256"]
    done = subprocess.run([str(part) for part in [*command, *options]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return "labelled" if done.returncode == 0 else done.stderr.strip().splitlines()[0][:60]


def main() -> None:
    program, resident, folder, threads, rounds, scene, volume, *only = sys.argv[1:]
    program, folder = Path(program), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    print_row(HEADER)
    print_row(["---"] * len(HEADER))
    for name in only or NETWORKS:
        network, net = prepare(name, program, folder)
        labelled = segment(network, program, folder, threads, Path(scene), Path(volume))
        tile = folder / "tile.safetensors"
        save_file({"input": network.tile()}, tile)
        engines = [Engine("swath", "f32", [resident, str(network.model), str(tile), "f32", "winograd", threads])]
        reason = export(network, net)
        if not reason:
            script = str(Path(__file__).with_name("engine.py"))
            command = [sys.executable, script, "onnxruntime", "f32", str(network.onnx), str(tile), threads]
            # Logits of these weights reach thousands, of which a softmax makes steps, and rounding decides where a maximum is put back.
            engines.append(Engine("onnxruntime", "f32", command, in_the_mean=True))
        time_in_turn(engines, int(rounds), folder)
        swath, *others = engines
        least = min(swath.processor)
        figures = [f"{min(engine.processor) / 1e3:.3f}" for engine in engines]
        ratios = [f"{least / min(other.processor):.2f}" for other in others]
        differences = [f"{other.difference:.1e}" for other in others]
        sides = " x ".join(str(side) for side in network.shape[1:])
        print_row([f"`{name}`", sides, labelled, *figures, *ratios, *differences, *([reason, "", ""] if reason else [])])
        shutil.rmtree(network.model)
        network.onnx.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
