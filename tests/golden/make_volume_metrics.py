"""Writes volume_metrics.json: Dice, HD95 and surface Dice of label volumes, by MONAI.

    pip install numpy torch monai==1.6.1
    python make_volume_metrics.py

The volumes are unions of balls and boxes given by their numbers below, x the fastest. Class 1 is in both, class 2 touches the edge, class 3 is in one
voxel, class 4 in the prediction only, class 5 in the reference only. MONAI's figures come from `compute_dice`, `compute_hausdorff_distance` with the 95th
percentile, and `compute_surface_dice`, with the spacing.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

SIZE, SPACING, TOLERANCE = (21, 18, 12), (0.9, 1.1, 2.5), 1.5
# Class, centre x y z, radius in voxels; later ones cover earlier ones.
BALLS = {
    "prediction": [(1, 9, 8, 5, 5.2), (1, 14, 9, 6, 2.4), (2, 1, 16, 3, 3.5), (3, 18, 2, 10, 0.5), (4, 18, 14, 9, 1.6)],
    "reference": [(1, 10, 8, 5, 4.6), (2, 0, 15, 4, 4.1), (3, 18, 4, 10, 0.5), (5, 3, 3, 10, 1.3)],
}


def labels(balls):
    z, y, x = np.meshgrid(*(np.arange(n) for n in SIZE[::-1]), indexing="ij")
    out = np.zeros(SIZE[::-1], np.uint8)
    for label, cx, cy, cz, radius in balls:
        out[(x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 <= radius**2] = label
    return out


def main():
    volumes = {name: labels(balls) for name, balls in BALLS.items()}
    one_hot = {name: torch.from_numpy(np.stack([volume == label for label in range(6)])[None]).float() for name, volume in volumes.items()}
    pair, spacing = (one_hot["prediction"], one_hot["reference"]), SPACING[::-1]
    dice = compute_dice(*pair, include_background=False)[0].tolist()
    hd95 = compute_hausdorff_distance(*pair, percentile=95, spacing=spacing)[0].tolist()
    surface = compute_surface_dice(*pair, class_thresholds=[TOLERANCE] * 5, spacing=spacing)[0].tolist()
    finite = lambda value: value if math.isfinite(value) else None
    classes = [{"value": v, "dice": finite(d), "hd95_mm": finite(h), "surface_dice": s} for v, d, h, s in zip(range(1, 6), dice, hd95, surface)]
    golden = {"size": SIZE, "spacing": SPACING, "tolerance": TOLERANCE, "balls": BALLS, "classes": classes}
    path = Path(__file__).with_name("volume_metrics.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
