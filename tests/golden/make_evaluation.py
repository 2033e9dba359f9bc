"""Writes evaluation.json: figures of scikit-learn for generated maps, with boundaries eroded by SciPy.

    pip install numpy scikit-learn scipy
    python make_evaluation.py

The maps follow from a formula; tests/evaluate.rs writes the same ones as rasters. 255 is what the reference ignores, and what a prediction has no label
for. Undefined figures are null; scikit-learn would give 0.
"""

import json
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, jaccard_score, precision_recall_fscore_support

WIDTH, HEIGHT, NONE = 211, 157, 255
RADII = (1, 2, 3, 5, 8)


def noise(band, x, y):
    """0 to 255, as support::noise of the tests."""
    with np.errstate(over="ignore"):
        x, y = (a.astype(np.uint64) for a in np.broadcast_arrays(x, y))
        state = np.uint64((band + 1) * 0x9E3779B97F4A7C15 % 2**64) ^ (x << np.uint64(32) | y)
        state = (state ^ state >> np.uint64(33)) * np.uint64(0xFF51AFD7ED558CCD)
        state = (state ^ state >> np.uint64(33)) * np.uint64(0xC4CEB9FE1A85EC53)
        return (state >> np.uint64(56)).astype(np.int64)


def maps(classes, patch, none):
    """A reference of patches, and a prediction that is right at about half of the pixels; `none` of 256 have no class in each."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    reference = noise(0, x // patch, y // patch) * classes >> 8
    prediction = np.where(noise(1, x, y) < 128, reference, noise(2, x, y) * classes >> 8)
    reference = np.where(noise(3, x // patch, y // patch) < none, NONE, reference)
    return reference, np.where(noise(4, x, y) < none, NONE, prediction)


def figures(reference, prediction, classes):
    labels = np.arange(classes)
    counted = reference != NONE
    # A pixel without a label is of a class of its own, which no reference has.
    truth, given = reference[counted], np.where(prediction == NONE, classes, prediction)[counted]
    matrix = confusion_matrix(truth, given, labels=np.arange(classes + 1))[:classes]
    precision, recall, f1, _ = precision_recall_fscore_support(truth, given, labels=labels, zero_division=np.nan)
    iou = jaccard_score(truth, given, labels=labels, average=None, zero_division=0)
    iou = np.where(matrix.sum(1) + matrix[:, :classes].sum(0) > 0, iou, np.nan)
    f1 = np.where(np.isnan(iou), np.nan, f1)
    null = lambda values: [None if np.isnan(value) else float(value) for value in values]
    return {
        "matrix": matrix[:, :classes].tolist(),
        "unlabelled": matrix[:, classes].tolist(),
        "pixels": int(counted.sum()),
        "accuracy": accuracy_score(truth, given),
        "kappa": cohen_kappa_score(truth, given),
        "mean_f1": float(np.nanmean(f1)),
        "mean_iou": float(np.nanmean(iou)),
        "precision": null(precision),
        "recall": null(recall),
        "f1": null(f1),
        "iou": null(iou),
    }


def eroded(reference, radius):
    """The reference without what a disc reaches from another class."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = y**2 + x**2 <= radius**2
    kept = np.full_like(reference, NONE)
    for value in np.unique(reference):
        kept[binary_erosion(reference == value, disc, border_value=1)] = value
    return kept


def calibration_error(reference, prediction, probability, bins=15):
    counted = (reference != NONE) & (prediction != NONE)
    right, sure = (reference == prediction)[counted], probability[counted]
    places = np.digitize(sure, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    groups = [places == place for place in range(bins)]
    return sum(group.sum() * abs(right[group].mean() - sure[group].mean()) for group in groups if group.any()) / counted.sum()


cases = []
# One class too many: the last one is nowhere.
for classes, patch, none, extra in [(2, 1, 0, 0), (6, 1, 20, 0), (5, 17, 20, 1), (40, 9, 60, 0)]:
    reference, prediction = maps(classes, patch, none)
    every = classes + extra
    case = {"classes": every, "drawn": classes, "patch": patch, "none": none, "full": figures(reference, prediction, every)}
    if patch > 1:
        case["eroded"] = {str(radius): figures(eroded(reference, radius), prediction, every) for radius in RADII if 2 * radius < patch}
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    case["calibration_error"] = calibration_error(reference, prediction, (noise(5, x, y) / 255).astype(np.float32).astype(float))
    cases.append(case)

Path(__file__).with_name("evaluation.json").write_text(json.dumps(cases) + "\n")
