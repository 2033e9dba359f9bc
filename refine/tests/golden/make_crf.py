"""Writes crf.json: what dense CRFs make of small noisy images.

    python3 -m venv crf && crf/bin/pip install 'numpy<2' 'cython<3' 'setuptools<70' wheel
    # The released archive holds wrappers for older Pythons; without them Cython makes new ones.
    crf/bin/pip download --no-deps --no-binary :all: --no-build-isolation pydensecrf==1.0rc3
    tar xzf pydensecrf-1.0rc3.tar.gz && rm pydensecrf-1.0rc3/pydensecrf/{eigen,densecrf}.cpp
    crf/bin/pip install --no-build-isolation ./pydensecrf-1.0rc3
    crf/bin/python make_crf.py

`exact` is the mean field with every pair of pixels summed in double precision; `pydensecrf` is that of the authors' implementation, whose kernels are
filtered on the permutohedral lattice. Pixels are multiples of four, since it takes four at a time and gives the last ones company that is not in the image,
and widths put no pixel on the border of two simplices, where rounding decides which vertices there are.
"""

import json
from pathlib import Path

import numpy as np
import pydensecrf.densecrf as dcrf

CASES = [
    {"name": "both", "height": 20, "width": 26, "classes": 3, "iterations": 5, "smoothness": [3.0, 3.1], "appearance": [4.0, 12.7, 13.3]},
    {"name": "smoothness", "height": 18, "width": 12, "classes": 2, "iterations": 10, "smoothness": [3.0, 2.0], "appearance": None},
    {"name": "appearance", "height": 16, "width": 21, "classes": 4, "iterations": 3, "smoothness": None, "appearance": [5.0, 30.0, 6.0]},
]


def scene(case, random):
    """Patches of one colour each, noise, and probabilities that are right more often than not."""
    height, width, classes = case["height"], case["width"], case["classes"]
    y, x = np.mgrid[:height, :width]
    truth = ((x + 2 * y) // 9 % classes).astype(int)
    colours = random.uniform(40, 215, (classes, 3))
    image = np.clip(colours[truth] + random.normal(0, 8, (height, width, 3)), 0, 255).round().astype(np.uint8)
    logits = random.normal(0, 1.2, (classes, height, width))
    logits += 1.0 * (truth[None] == np.arange(classes)[:, None, None])
    p = np.exp(logits) / np.exp(logits).sum(0)
    return image, p.astype(np.float32)


def kernels(case, image):
    """Of each kernel: its weight and its points, in standard deviations."""
    y, x = np.mgrid[: case["height"], : case["width"]]
    place = np.stack([x.ravel(), y.ravel()], 1).astype(float)
    if case["smoothness"]:
        weight, width = case["smoothness"]
        yield weight, place / width
    if case["appearance"]:
        weight, width, colour = case["appearance"]
        yield weight, np.concatenate([place / width, image.reshape(-1, 3) / colour], 1)


def exact(case, image, p):
    potentials = np.log(np.maximum(p, 1e-5)).reshape(case["classes"], -1).astype(float)
    matrices = []
    for weight, points in kernels(case, image):
        k = np.exp(-0.5 * ((points[:, None] - points[None]) ** 2).sum(-1))
        norm = 1 / np.sqrt(k.sum(1))
        matrices.append(weight * norm[:, None] * k * norm[None])
    softmax = lambda u: np.exp(u - u.max(0)) / np.exp(u - u.max(0)).sum(0)
    q = softmax(potentials)
    for _ in range(case["iterations"]):
        q = softmax(potentials + sum(q @ k for k in matrices))
    return q


def reference(case, image, p):
    d = dcrf.DenseCRF2D(case["width"], case["height"], case["classes"])
    d.setUnaryEnergy(np.ascontiguousarray(-np.log(np.maximum(p, 1e-5)).reshape(case["classes"], -1)))
    if case["smoothness"]:
        weight, width = case["smoothness"]
        d.addPairwiseGaussian(sxy=width, compat=weight, kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC)
    if case["appearance"]:
        weight, width, colour = case["appearance"]
        d.addPairwiseBilateral(
            sxy=width, srgb=colour, rgbim=np.ascontiguousarray(image), compat=weight,
            kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC,
        )
    return np.array(d.inference(case["iterations"]))


def main():
    random = np.random.default_rng(7)
    written = []
    for case in CASES:
        image, p = scene(case, random)
        rounded = lambda values: [round(float(value), 6) for value in np.asarray(values).ravel()]
        p = np.array(rounded(p), np.float32).reshape(p.shape)
        written.append(case | {
            "image": image.transpose(2, 0, 1).ravel().tolist(),
            "probabilities": rounded(p),
            "exact": rounded(exact(case, image, p)),
            "pydensecrf": rounded(reference(case, image, p)),
        })
        e, r = np.array(written[-1]["exact"]), np.array(written[-1]["pydensecrf"])
        print(case["name"], "pydensecrf against exact:", abs(e - r).max(), "input against exact:", abs(p.ravel() - e).max())
    Path(__file__).with_name("crf.json").write_text(json.dumps(written, separators=(",", ":")) + "\n")


main()
