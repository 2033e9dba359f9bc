"""Memory and time of labelling generated volumes with half-overlapping tiles of 128: Swath, and MONAI's sliding window if it is installed.

    python3 benches/volumes/stitch.py SWATH FOLDER [DEPTHS] [CLASSES] [ROUNDS]

SWATH is the binary, FOLDER is made (with the packages numpy and onnx); DEPTHS and CLASSES are lists such as `300,1200`. The volumes are 512 x 512 voxels of 16 bits. The network is one
1 x 1 x 1 convolution, so that little but reading, stitching, labelling and writing is left. Each takes its turn ROUNDS times. Printed are Swath's stages, and of
each process the seconds by the clock and of the processor in its fastest turn, and the most resident memory in any. MONAI's is the window alone, with a
predictor that costs nothing, and the argmax; by the clock it is without importing its libraries.
"""

import gzip
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

SIDE, TILE = 512, 128
MONAI = """
import os, sys, time, torch
from monai.inferers import sliding_window_inference
before, started = sum(os.times()[:2]), time.monotonic()
torch.set_num_threads(int(sys.argv[3]))
volume = torch.zeros(1, 1, 512, 512, int(sys.argv[1]))
with torch.inference_mode():
    predict = lambda tile: tile.expand(-1, int(sys.argv[2]), -1, -1, -1) * 1.0
    sliding_window_inference(volume, (128, 128, 128), 1, predict, overlap=0.5, mode="gaussian").argmax(1)
print(time.monotonic() - started, sum(os.times()[:2]) - before)
"""


def write_volume(path, depth):
    """A NIfTI of int16: blocks of Hounsfield units with a scanner's noise, which compresses about as well as a CT does."""
    import numpy as np

    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, SIDE, SIDE, depth, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 0.8, 0.8, 1.5, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    struct.pack_into("<h", header, 254, 1)
    for row, spacing in enumerate([0.8, 0.8, 1.5]):
        struct.pack_into("<f", header, 280 + 20 * row, spacing)
    header[344:348] = b"n+1\0"
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] // 32
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header)
        for z in range(depth):
            plane = (x * 148 + (y + z // 16) * 404) % 1400 - 1000 + random.normal(0, 12, (SIDE, SIDE))
            file.write(plane.round().astype("<i2").tobytes())


def write_model(swath, folder, classes, more=None):
    """A volumetric network of one 1 x 1 x 1 convolution with weights that make every class the largest somewhere."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    place = np.linspace(-1, 0.4, classes, dtype=np.float32)
    weight = numpy_helper.from_array((2 * place).reshape(classes, 1, 1, 1, 1), "weight")
    bias = numpy_helper.from_array(-(place**2), "bias")
    shape = lambda name, channels: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "d", "h", "w"])
    node = helper.make_node("Conv", ["image", "weight", "bias"], ["scores"], kernel_shape=[1, 1, 1])
    graph = helper.make_graph([node], "pointwise", [shape("image", 1)], [shape("scores", classes)], [weight, bias])
    file = folder.with_suffix(".onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    volume = {"axes": "SAR", "tile": [TILE] * 3, "intensity": [{"type": "clip", "minimum": -1000, "maximum": 400}], **(more or {})}
    command = [swath, "model", "import", file, "--bands", "ct", "--scaling", "scale:1000", "--scores", "logits", "--output", folder]
    names = ",".join(f"class_{n}" for n in range(classes))
    subprocess.run([*map(str, command), "--classes", names, "--volume", json.dumps(volume)], check=True, stdout=subprocess.DEVNULL)


class Turn(NamedTuple):
    """What a process took: seconds by the clock and of the processor, most resident memory, and what it printed."""

    seconds: float
    processor: float
    gib: float
    output: str


def measure(command):
    started = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    return Turn(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20, output.decode())


def window(depth, count, threads):
    """MONAI's turn, without importing its libraries."""
    turn = measure([sys.executable, "-c", MONAI, depth, count, threads])
    seconds, processor = map(float, turn.output.split())
    return turn._replace(seconds=seconds, processor=processor)


def show(name, turns):
    best = min(turns, key=lambda turn: turn.seconds)
    return f"{name}: {best.seconds:.1f} s, {best.processor:.1f} s of the processor, {max(turn.gib for turn in turns):.2f} GiB"


def main():
    swath, folder = Path(sys.argv[1]), Path(sys.argv[2])
    depths, classes, rounds = (sys.argv[3:] + ["300,1200", "14", "1"][len(sys.argv) - 3 :])[:3]
    depths, classes, rounds = [int(n) for n in depths.split(",")], [int(n) for n in classes.split(",")], int(rounds)
    try:
        import monai  # noqa: F401

        has_monai = True
    except ImportError:
        has_monai = False
        print("MONAI is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    threads = os.cpu_count()
    for count in classes:
        model = folder / f"model_{count}"
        if not model.exists():
            write_model(swath, model, count)
        for depth in depths:
            volume, labels = folder / f"ct_{depth}.nii.gz", folder / "labels.nii.gz"
            if not volume.exists():
                write_volume(volume, depth)
            options = ["--overlap", TILE // 2, "--blend", "gaussian", "--threads", threads, "--max-memory", "20GiB", "--overwrite", "--json", "--timings"]
            # MONAI's volume of floats and what it is divided by.
            fits = depth * count <= 300 * 14
            own, other = [], []
            for _ in range(rounds):
                own.append(measure([swath, "segment", volume, "--model", model, "--output", labels, *options]))
                if has_monai and fits:
                    other.append(window(depth, count, threads))
            stages = json.loads(min(own, key=lambda turn: turn.seconds).output)["timings"]["stages"]
            busy = ", ".join(f"{name} {stage['busy_s']:.1f}" for name, stage in stages.items())
            print(f"{show(f'swath {depth} slices, {count} classes', own)}; s of its threads: {busy}", flush=True)
            plan = subprocess.run([str(part) for part in [swath, "plan", volume, "--model", model, *options[:8], "--json"]], check=True, capture_output=True)
            print(f"  planned {json.loads(plan.stdout)['memory']['total'] / 2**30:.2f} GiB", flush=True)
            if has_monai and not fits:
                print(f"MONAI {depth} slices, {count} classes: left out, its volume of floats takes {(count + 1) * depth / 1024:.1f} GiB")
            if other:
                print(show(f"MONAI {depth} slices, {count} classes", other), flush=True)


if __name__ == "__main__":
    main()
