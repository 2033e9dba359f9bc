"""A careful user's pipeline in Python: rasterio windows, OpenVINO, scores blended with a Hann window, labels to a GeoTIFF.

    python pipeline.py PRECISION ONNX SCENE LABELS THREADS

Like the published Python tools, it holds the scores of the whole scene in memory. It prints the seconds that it took, without those before the
network is compiled.
"""

import json
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from engine import OpenVino
from networks import CLASSES

TILE, OVERLAP = 512, 64


def starts(length: int) -> list[int]:
    """First pixels of the tiles along an axis; the last tile ends where the scene does."""
    return sorted({min(start, max(length - TILE, 0)) for start in range(0, max(length - OVERLAP, 1), TILE - OVERLAP)})


def label(network: OpenVino, scene: Path, labels: Path, threads: int) -> None:
    hann = np.hanning(TILE + 2)[1:-1].astype(np.float32)
    taper = np.outer(hann, hann)
    with rasterio.open(scene, num_threads=threads) as source:
        height, width, profile = source.height, source.width, source.profile
        scores = np.zeros((CLASSES, height, width), np.float32)
        for y, x in product(starts(height), starts(width)):
            pixels = source.read((1, 2, 3), window=Window(x, y, TILE, TILE), boundless=True, fill_value=0)
            tile = network.run(pixels.astype(np.float32)[None] / np.float32(255))[0] * taper
            rows, columns = min(TILE, height - y), min(TILE, width - x)
            scores[:, y : y + rows, x : x + columns] += tile[:, :rows, :columns]
    # The sum of the tapers is the same for all classes: the largest sum is the largest mean.
    classes = scores.argmax(0).astype(np.uint8)
    kept = {key: profile[key] for key in ("width", "height", "crs", "transform")}
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "num_threads": threads}
    with rasterio.open(labels, "w", driver="GTiff", count=1, dtype="uint8", **kept, **blocks) as sink:
        sink.write(classes, 1)


def main() -> None:
    precision, onnx, scene, labels, threads = sys.argv[1:]
    network = OpenVino(Path(onnx), precision, int(threads))
    start = time.perf_counter()
    label(network, Path(scene), Path(labels), int(threads))
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
