"""MeshNet on a head of 256 x 256 x 256 voxels: Swath with three tilings, and ONNX Runtime in blocks of 64 with a halo of 24, in one run.

    python3 benches/volumes/meshnet.py SWATH FOLDER DATA [ROUNDS]

SWATH is the binary, FOLDER is made, DATA holds `weights/meshnet` and `medical/nifti`; numpy and onnxruntime are needed. Printed are how many voxels differ from the
reference labels, and the fastest of ROUNDS turns, by the clock and of the processor: of Swath's whole process with the tiles that its plan chooses for 12 GiB,
of ONNX Runtime's blocks alone.
"""

import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from stitch import measure

SIDE, BLOCK, HALO = 256, 64, 24


def read(path):
    """The bytes of a NIfTI as nibabel's array: the first axis is the fastest of the file."""
    data = gzip.decompress(path.read_bytes())
    return np.frombuffer(data, np.uint8, SIDE**3, int(np.frombuffer(data, "<f4", 1, 108)[0])).reshape([SIDE] * 3, order="F")


def swath(binary, folder, image, options):
    command = [binary, "segment", image, "--model", folder / "meshnet", "--output", folder / "labels.nii.gz", "--overwrite", "--max-memory", "12GiB", *options]
    turn = measure(command)
    return (turn.seconds, turn.processor), read(folder / "labels.nii.gz")


def runtime(session, image):
    started, before = time.monotonic(), sum(os.times()[:2])
    labels = np.zeros(image.shape, np.uint8)
    padded = np.pad(image.astype(np.float32) / 255, HALO)
    name = session.get_inputs()[0].name
    steps = range(0, SIDE, BLOCK)
    for place in ((x, y, z) for x in steps for y in steps for z in steps):
        around = padded[tuple(slice(at, at + BLOCK + 2 * HALO) for at in place)]
        scores = session.run(None, {name: np.ascontiguousarray(around)[None, None]})[0][0]
        inner = scores[(slice(None), *[slice(HALO, -HALO)] * 3)]
        labels[tuple(slice(at, at + BLOCK) for at in place)] = inner.argmax(0)
    return (time.monotonic() - started, sum(os.times()[:2]) - before), labels


def main():
    binary, folder, data = (Path(argument) for argument in sys.argv[1:4])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    folder.mkdir(parents=True, exist_ok=True)
    onnx = data / "weights/meshnet/meshnet11_gwm.onnx"
    image, reference = data / "medical/nifti/t1_crop.nii.gz", read(data / "medical/nifti/t1_crop_meshnet11_ref.nii.gz")
    if not (folder / "meshnet").exists():
        command = [binary, "model", "import", onnx, "--bands", "mr", "--scaling", "scale:255", "--classes", "other,white,grey", "--scores", "logits"]
        subprocess.run([*map(str, command), "--output", str(folder / "meshnet"), "--volume", '{ "axes": "ijk" }'], check=True)
    for options in (["--blend", "crop"], ["--blend", "crop", "--tile", "152"], ["--blend", "crop", "--tile", "112"]):
        seconds, labels = swath(binary, folder, image, options)
        print(f"swath {' '.join(options)}: {(labels != reference).sum()} voxels differ, {seconds[0]:.1f} s", flush=True)
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    times = {"swath": [], "runtime": []}
    for _ in range(rounds):
        times["swath"].append(swath(binary, folder, image, ["--blend", "crop"])[0])
        seconds, labels = runtime(session, read(image))
        times["runtime"].append(seconds)
    differ = (labels != reference).sum()
    for at, kind in enumerate(["by the clock", "of the processor"]):
        ours, theirs = (min(turn[at] for turn in times[name]) for name in ("swath", "runtime"))
        print(f"swath {ours:.1f} s {kind}, ONNX Runtime in blocks {theirs:.1f} s ({differ} voxels differ): {theirs / ours:.2f} times as fast")


if __name__ == "__main__":
    main()
