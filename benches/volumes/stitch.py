"""Memory and time of labelling generated volumes with half-overlapping tiles of 128: Swath, and MONAI's sliding window if it is installed.

    python3 benches/volumes/stitch.py SWATH FOLDER [DEPTHS] [CLASSES]

SWATH is the binary, FOLDER is made (with the packages numpy and onnx); DEPTHS and CLASSES are lists such as `300,1200`. The volumes are 512 x 512 voxels of 16 bits. The network is one
1 x 1 x 1 convolution, so that little but reading, stitching, labelling and writing is left. Printed are Swath's stages, and each process's seconds and
most resident memory; MONAI's is the window alone, with a predictor that costs nothing, and the argmax.
"""

import gzip
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

SIDE, TILE = 512, 128
MONAI = """
import sys, torch
from monai.inferers import sliding_window_inference
torch.set_num_threads(int(sys.argv[3]))
volume = torch.zeros(1, 1, 512, 512, int(sys.argv[1]))
with torch.inference_mode():
    predict = lambda tile: tile.expand(-1, int(sys.argv[2]), -1, -1, -1) * 1.0
    sliding_window_inference(volume, (128, 128, 128), 1, predict, overlap=0.5, mode="gaussian").argmax(1)
"""


def write_volume(path, depth):
    """A NIfTI of int16 with a pattern that a compressor has some work with."""
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
    rows = [struct.pack(f"<{SIDE}h", *[(x // 8 * 37 + y // 8 * 101) % 1400 - 1000 for x in range(SIDE)]) for y in range(SIDE)]
    plane = b"".join(rows)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header)
        for z in range(depth):
            shift = z * 64 % len(plane)
            file.write(plane[shift:] + plane[:shift])


def write_model(swath, folder, classes):
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
    volume = {"axes": "SPL", "tile": [TILE] * 3, "intensity": [{"type": "clip", "minimum": -1000, "maximum": 400}]}
    command = [swath, "model", "import", file, "--bands", "ct", "--scaling", "scale:1000", "--scores", "logits", "--output", folder]
    names = ",".join(f"class_{n}" for n in range(classes))
    subprocess.run([*map(str, command), "--classes", names, "--volume", json.dumps(volume)], check=True, stdout=subprocess.DEVNULL)


def measure(command):
    """Seconds, most resident GiB and output of a process."""
    started = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    return time.monotonic() - started, usage.ru_maxrss / 2**20, output


def main():
    swath, folder = Path(sys.argv[1]), Path(sys.argv[2])
    depths, classes = ([int(n) for n in text.split(",")] for text in (sys.argv[3:] + ["300,1200", "14"])[:2])
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
            seconds, gib, output = measure([swath, "segment", volume, "--model", model, "--output", labels, *options])
            stages = json.loads(output)["timings"]["stages"]
            busy = ", ".join(f"{name} {stage['busy_s']:.1f}" for name, stage in stages.items())
            print(f"swath {depth} slices, {count} classes: {seconds:.1f} s, {gib:.2f} GiB; s of its threads: {busy}", flush=True)
            plan = subprocess.run([str(part) for part in [swath, "plan", volume, "--model", model, *options[:8], "--json"]], check=True, capture_output=True)
            print(f"  planned {json.loads(plan.stdout)['memory']['total'] / 2**30:.2f} GiB", flush=True)
            try:
                import monai  # noqa: F401
            except ImportError:
                print("MONAI is not installed")
                continue
            if depth * count > 300 * 14:
                print(f"MONAI {depth} slices, {count} classes: left out, its volume of floats takes {(count + 1) * depth / 1024:.1f} GiB")
                continue
            seconds, gib, _ = measure([sys.executable, "-c", MONAI, depth, count, threads])
            print(f"MONAI {depth} slices, {count} classes: {seconds:.1f} s, {gib:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
