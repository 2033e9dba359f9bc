"""Times swath-refine's dense CRF and pydensecrf in turn on the same image and probabilities, and compares what they give.

    bench.py EXAMPLE WIDTH HEIGHT CLASSES ROUNDS

EXAMPLE is target/release/examples/crf; refine/tests/golden/make_crf.py says how to install pydensecrf. Both on one thread; times are those of the
processor, which other processes change less than those of the clock.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pydensecrf.densecrf as dcrf


def scene(height, width, classes):
    """Patches of one colour each with noise, and probabilities that are right more often than not."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    field = np.sin(x / 43) + np.cos(y / 37) + np.sin((x + 2 * y) / 91)
    truth = np.digitize(field, np.linspace(-2, 2, classes + 1)[1:-1])
    colours = random.uniform(40, 215, (classes, 3))
    image = np.clip(colours[truth] + random.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    logits = random.normal(0, 1.2, (classes, height, width)) + 1.0 * (truth[None] == np.arange(classes)[:, None, None])
    p = np.exp(logits) / np.exp(logits).sum(0)
    return image, p.astype(np.float32)


def pydensecrf(image, p):
    classes, height, width = p.shape
    started = time.process_time()
    d = dcrf.DenseCRF2D(width, height, classes)
    d.setUnaryEnergy(np.ascontiguousarray(-np.log(np.maximum(p, 1e-5)).reshape(classes, -1)))
    d.addPairwiseGaussian(sxy=3.1, compat=3.0, kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC)
    d.addPairwiseBilateral(
        sxy=67.7, srgb=13.3, rgbim=image, compat=4.0, kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC
    )
    q = np.array(d.inference(10)).reshape(p.shape)
    return time.process_time() - started, q


def swath(example, folder, image, p):
    image.transpose(2, 0, 1).tofile(folder / "image")
    p.tofile(folder / "p")
    command = [example, folder / "image", folder / "p", str(p.shape[2]), str(p.shape[1]), folder / "q"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"RAYON_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, np.fromfile(folder / "q", np.float32).reshape(p.shape)


def main():
    example, width, height, classes, rounds = sys.argv[1], *map(int, sys.argv[2:])
    image, p = scene(height, width, classes)
    times = {"pydensecrf": [], "swath": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            seconds, reference = pydensecrf(image, p)
            times["pydensecrf"].append(seconds)
            seconds, q = swath(example, Path(folder), image, p)
            times["swath"].append(seconds)
    for name, seconds in times.items():
        per_mpx = np.array(seconds) / (width * height / 1e6)
        print(f"{name}: {np.median(per_mpx):.2f} s per Mpx ({per_mpx.min():.2f} to {per_mpx.max():.2f}), {classes} classes, 10 iterations")
    differing = (reference.argmax(0) != q.argmax(0)).mean()
    print(f"largest difference {abs(reference - q).max():.1e}, mean {abs(reference - q).mean():.1e}, labels that differ: {differing:.1e}")


main()
