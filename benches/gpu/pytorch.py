"""Times FCN-ResNet50 in PyTorch on CUDA, with the weights that `gpu_check time` wrote: channels last, as fast as PyTorch offers.

    python pytorch.py WEIGHTS

Prints a JSON object a line, as `gpu_check time` does. The scores end where Swath's kernels do: three maps resized, summed, and softmax.
"""

import json
import struct
import sys
import time

import torch
from torch import nn
from torch.nn import functional

CLASSES = 6
RUNS = 50


def read(path: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file of `f32`."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name] = torch.frombuffer(data[start:end], dtype=torch.float32).reshape(entry["shape"]).clone()
    return tensors


class Bottleneck(nn.Module):
    """1x1 reduce, 3x3, 1x1 expand, with torchvision's names."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or channels != 4 * width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class Fcn(nn.Module):
    """The network of `zoo/fcn_resnet50.rs`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        stages = []
        channels = 64
        for blocks, width, stride in [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)]:
            stage = [Bottleneck(channels, width, stride)]
            channels = 4 * width
            stage += [Bottleneck(channels, width, 1) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*stage))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.head8 = nn.Conv2d(512, CLASSES, 1)
        self.head16 = nn.Conv2d(1024, CLASSES, 1)
        self.head32 = nn.Conv2d(2048, CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[2:]
        y = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        s8 = self.layer2(self.layer1(y))
        s16 = self.layer3(s8)
        s32 = self.layer4(s16)
        maps = [self.head8(s8), self.head16(s16), self.head32(s32)]
        total = sum(functional.interpolate(m, size, mode="bilinear", align_corners=False) for m in maps)
        return torch.softmax(total.float(), 1)


def milliseconds(run) -> float:
    """Of one run, on average, once clocks and caches have settled."""
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(RUNS):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / RUNS * 1e3


def graphed(network: nn.Module, tile: torch.Tensor):
    """The network as a CUDA graph."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            network(tile)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(tile)
    return graph.replay


@torch.inference_mode()
def main() -> None:
    torch.backends.cudnn.benchmark = True
    network = Fcn().eval()
    network.load_state_dict(read(sys.argv[1]), strict=False)
    network = network.cuda().to(torch.bfloat16, memory_format=torch.channels_last)
    print(json.dumps({"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "card": torch.cuda.get_device_name()}))
    for side, batch in [(512, 16), (1024, 4)]:
        tile = torch.rand(batch, 3, side, side, device="cuda").to(torch.bfloat16, memory_format=torch.channels_last)
        ways = {
            "pytorch": lambda: lambda: network(tile),
            "pytorch, CUDA graph": lambda: graphed(network, tile),
            "pytorch, compiled": lambda: (lambda compiled: lambda: compiled(tile))(torch.compile(network)),
            "pytorch, compiled, max-autotune": lambda: (lambda compiled: lambda: compiled(tile))(
                torch.compile(network, mode="max-autotune")
            ),
        }
        for name, make in ways.items():
            try:
                took = milliseconds(make())
            except Exception as error:  # a compiler that is missing must not end the others
                print(json.dumps({"engine": name, "tile": side, "error": f"{type(error).__name__}: {error}"[:300]}))
                continue
            pixels = batch * side * side
            row = {"engine": name, "precision": "bf16", "tile": side, "batch": batch, "kernels_ms": took}
            row |= {"tiles_per_s": batch / took * 1e3, "mpx_per_s": pixels / took / 1e3}
            print(json.dumps(row), flush=True)


main()
