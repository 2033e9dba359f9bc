"""Bringing the scores of a volume back to its own voxels: Swath's export beside nnU-Net's way with scikit-image and SciPy, in one run.

    python3 benches/volumes/resample.py SWATH FOLDER [DEPTH] [CLASSES] [SPACING] [ROUNDS]

SWATH is the binary, FOLDER is made; numpy, onnx, scipy and scikit-image are needed. The volume is that of `stitch.py`, 512 x 512 voxels of 0.8 mm in slices of
1.5 mm; SPACING is that of the network, `1.5,1.5,1.5` (depth, height, width) or such that one axis is coarse, as `6,1.5,1.5`. Both ways start from the same scores
on the network's grid: those of a 1 x 1 x 1 convolution. nnU-Net's is that of its `resample_data_or_seg` and argmax, as it exports predictions: each class in double
precision by `skimage.transform.resize` of order 1, or where an axis is coarse slice by slice, then `map_coordinates` of order 0 along it; it uses one thread.
Swath's time is that of its stage `restoring` and of labelling and handing on the planes (`writing`), by the clock; the whole process beside it does all else, too.
The labels of both are held against each other: a voxel that differs must have two scores that are as good as equal.
"""

import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.transform import resize
from stitch import SIDE, measure, write_model, write_volume

OWN = [1.5, 0.8, 0.8]
# Of scores of about 1: what single precision may change.
EQUAL = 1e-5


def coarse_axis(spacing):
    """The axis along which nnU-Net does not interpolate."""
    widest = [axis for axis in range(3) if spacing[axis] == max(spacing)]
    return widest[0] if max(spacing) > 3 * min(spacing) and len(widest) == 1 else None


def linear(array, shape):
    return resize(array, shape, 1, mode="edge", anti_aliasing=False, preserve_range=True)


def bring_back(score, shape, axis):
    """nnU-Net's resampling of one class's scores, in double precision."""
    score = score.astype(np.float64)
    if axis is None:
        return linear(score, shape)
    slices = np.moveaxis(score, axis, 0)
    plane = [n for at, n in enumerate(shape) if at != axis]
    slices = np.stack([linear(one, plane) for one in slices])
    if len(slices) == shape[axis]:
        return np.moveaxis(slices, 0, axis)
    rows, columns = np.mgrid[: plane[0], : plane[1]]
    out = np.empty([shape[axis], *plane])
    scale = len(slices) / shape[axis]
    # All at once as there, but for memory: one wanted slice after the other.
    for at in range(shape[axis]):
        places = [np.full(plane, (at + 0.5) * scale - 0.5), rows, columns]
        out[at] = map_coordinates(slices, places, order=0, mode="nearest")
    return np.moveaxis(out, 0, axis)


def read(path, kind):
    data = gzip.decompress(path.read_bytes())
    offset = int(np.frombuffer(data, "<f4", 1, 108)[0])
    return np.frombuffer(data, kind, offset=offset).reshape(-1, SIDE, SIDE)


def differing(scores, shape, axis, labels, other):
    """How many labels differ, and the largest difference of their scores, by scores brought back once more where they differ."""
    places = np.nonzero(labels != other)
    if not len(places[0]):
        return 0, 0.0
    apart = np.zeros(len(places[0]))
    for place, score in enumerate(scores):
        there = bring_back(score, shape, axis)[places]
        apart += np.where(labels[places] == place, there, 0) - np.where(other[places] == place, there, 0)
    return len(apart), float(np.abs(apart).max())


def main():
    swath, folder = Path(sys.argv[1]), Path(sys.argv[2])
    depth, classes, spacing, rounds = (sys.argv[3:] + ["300", "14", "1.5,1.5,1.5", "2"][len(sys.argv) - 3 :])[:4]
    depth, classes, rounds = int(depth), int(classes), int(rounds)
    wanted = [float(n) for n in spacing.split(",")]
    folder.mkdir(parents=True, exist_ok=True)
    volume, labels = folder / f"ct_{depth}.nii.gz", folder / "restored.nii.gz"
    model = folder / f"model_{classes}_{spacing}"
    if not volume.exists():
        write_volume(volume, depth)
    if not model.exists():
        write_model(swath, model, classes, {"spacing": wanted, "labels": "scores"})
    own = read(volume, "<i2")
    shape = list(own.shape)
    grid = [max(int(round(o / w * n)), 1) for n, o, w in zip(shape, OWN, wanted)]
    axis = coarse_axis(wanted)
    axis = coarse_axis(OWN) if axis is None else axis
    seen = linear(np.clip(own, -1000, 400).astype(np.float32), grid) / np.float32(1000)
    place = np.linspace(-1, 0.4, classes, dtype=np.float32)
    scores = [(2 * p * seen - p * p).astype(np.float32) for p in place]
    times = {"swath": [], "whole": [], "python": []}
    options = ["--overlap", 0, "--blend", "crop", "--max-memory", "16GiB", "--overwrite", "--json", "--timings"]
    for _ in range(rounds):
        turn = measure([swath, "segment", volume, "--model", model, "--output", labels, *options])
        stages = json.loads(turn.output)["timings"]["stages"]
        times["swath"].append(stages["restoring"]["busy_s"] + stages["writing"]["busy_s"])
        times["whole"].append(turn.seconds)
        started = time.monotonic()
        full = np.empty([classes, *shape], np.float32)
        for at, score in enumerate(scores):
            full[at] = bring_back(score, shape, axis)
        other = full.argmax(0).astype(np.uint8)
        times["python"].append(time.monotonic() - started)
        del full
        busy = ", ".join(f"{name} {stage['busy_s']:.1f}" for name, stage in stages.items())
        print(f"swath: {turn.seconds:.1f} s and {turn.gib:.2f} GiB as a whole; s of its threads: {busy}", flush=True)
    count, apart = differing(scores, shape, axis, read(labels, np.uint8), other)
    ours, theirs = min(times["swath"]), min(times["python"])
    kind = "as a whole" if axis is None else f"slice by slice, axis {axis} coarse"
    print(f"{depth} slices, {classes} classes from {grid[0]} x {grid[1]} x {grid[2]}, {kind}: Swath brings back and labels in {ours:.1f} s "
          f"(all of it {min(times['whole']):.1f} s), nnU-Net's way {theirs:.1f} s: {theirs / ours:.1f} times as long; "
          f"{count} of {np.prod(shape)} labels differ, by scores up to {apart:.1e} apart")
    if apart > EQUAL:
        sys.exit(f"expected labels that differ only where scores are within {EQUAL}")


if __name__ == "__main__":
    main()
