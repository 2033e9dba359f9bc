"""Writes resampling.json: labels of volumes that a network sees at another spacing, as nnU-Net's own functions resample them.

    pip install numpy scipy scikit-image
    python make_resampling.py

The voxel at flat position i, x the fastest, is 37 i mod 101. The network gives three scores: 0, x - 30.37 and 2 x - 100.81, so that the label is the place
of the largest. Values go to the network's grid, and scores come back, by `skimage.transform.resize` of order 1 without anti-aliasing, in double
precision: what nnU-Net's `resample_data_or_seg` calls. Where one of the two spacings is more than three times as wide along one axis as along another, scores
come back slice by slice, and along that axis from the nearest slice (`scipy.ndimage.map_coordinates` of order 0), as there. Shapes are rounded half to
even. Arrays are (z, y, x).
"""

import json
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.transform import resize

# Size and spacing in the order x, y, z; the network's spacing for depth, height and width of SAR, which are z, y, x here.
CASES = [
    ((9, 8, 7), (1.0, 1.0, 1.0), (1.5, 1.5, 1.5)),
    ((9, 8, 7), (1.0, 1.5, 2.5), (1.0, 1.0, 1.0)),
    ((10, 6, 5), (0.8, 2.0, 1.0), (3.0, 2.0, 0.5)),
    ((9, 8, 5), (0.8, 0.8, 4.0), (2.0, 1.5, 1.0)),
    ((7, 6, 8), (4.0, 1.0, 1.5), (1.0, 1.5, 1.2)),
]
# Size, and height and width that every slice gets.
WHOLE = [((9, 8, 3), (5, 16)), ((7, 7, 2), (7, 4))]


def volume(size):
    x, y, z = size
    return (37 * np.arange(x * y * z) % 101).astype(np.float64).reshape(z, y, x)


def resample(array, shape):
    return resize(array, shape, order=1, mode="edge", anti_aliasing=False, preserve_range=True)


def coarse_axis(spacing):
    widest = [axis for axis in range(3) if spacing[axis] == max(spacing)]
    return widest[0] if max(spacing) > 3 * min(spacing) and len(widest) == 1 else None


def bring_back(score, shape, axis):
    if axis is None:
        return resample(score, shape)
    slices = np.moveaxis(score, axis, 0)
    plane = [n for at, n in enumerate(shape) if at != axis]
    slices = np.stack([resample(plane_of, plane) for plane_of in slices])
    count, wanted = len(slices), shape[axis]
    places = np.meshgrid((np.arange(wanted) + 0.5) * count / wanted - 0.5, *map(np.arange, plane), indexing="ij")
    return np.moveaxis(map_coordinates(slices, np.stack(places), order=0, mode="nearest"), 0, axis)


def labels(size, shape, axis=None):
    own = volume(size)
    seen = resample(own, shape)
    scores = [np.zeros_like(seen), seen - 30.37, 2 * seen - 100.81]
    back = np.stack([bring_back(score, own.shape, axis) for score in scores])
    top = np.sort(back, axis=0)
    # No label may hang on the last bits.
    assert (top[-1] - top[-2]).min() > 1e-3, (top[-1] - top[-2]).min()
    seen_top = np.sort(np.stack(scores), axis=0)
    assert (seen_top[-1] - seen_top[-2]).min() > 1e-3, (seen_top[-1] - seen_top[-2]).min()
    nearest = np.argmax(np.stack(scores), axis=0)
    index = [((2 * np.arange(n) + 1) * m // (2 * n)) for n, m in zip(own.shape, shape)]
    return {"scores": np.argmax(back, axis=0).ravel().tolist(), "nearest": nearest[np.ix_(*index)].ravel().tolist()}


def main():
    golden = []
    for size, spacing, wanted in CASES:
        shape = [int(round(s / w * n)) for n, s, w in zip(size[::-1], spacing[::-1], wanted)]
        axis = coarse_axis(wanted)
        axis = coarse_axis(spacing[::-1]) if axis is None else axis
        golden.append({"size": size, "spacing": spacing, "volume": {"spacing": wanted}, "grid": shape[::-1], **labels(size, shape, axis)})
    for size, plane in WHOLE:
        shape = [size[2], *plane]
        golden.append({"size": size, "spacing": [1, 1, 1], "volume": {"size": plane}, "grid": shape[::-1], **labels(size, shape)})
    path = Path(__file__).with_name("resampling.json")
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in golden) + "\n]\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
