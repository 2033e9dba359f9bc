"""Writes dummies.safetensors: ONNX Runtime's scores of the models of the QGIS plugin Deepness for two generated scenes.

    python make_dummies.py FOLDER_OF_THE_MODELS

The models are fixed to 512 x 512: each scene is mirrored at its edges, run in blocks side by side, and put together. Scores are kept at the
pixels of a lattice that has the edges of scene, tiles and blocks. tests/real_models.rs reads them; tests/common/mod.rs makes the same scenes.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import save_file

TILE = 512
SCENES = {"large": (600, 700), "small": (300, 200)}  # height, width
SKIPPED = ("dummy_recognition_model", "dummy_superresolution_model", "dummy_regression_model", "dummy_regression_model_batched")


def noise(height, width):
    """(3, height, width), as Raster::noise."""
    band, y, x = (a.astype(np.uint32) for a in np.mgrid[0:3, 0:height, 0:width])
    mixed = x * np.uint32(73856093) ^ y * np.uint32(19349663) ^ band * np.uint32(83492791)
    mixed = (mixed ^ mixed >> np.uint32(15)) * np.uint32(2654435761)
    return ((mixed ^ mixed >> np.uint32(13)) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def lattice(length):
    """Positions along one axis, as lattice() of the test."""
    wanted = (0, 1, 13, 14, 97, 187, 188, 255, 256, 483, 484, 498, 511, 512, 585, length - 15, length - 2, length - 1)
    return sorted({position for position in wanted if 0 <= position < length})


def whole(session, output, scene):
    """Scores (channels, height, width) of a scene."""
    name = session.get_inputs()[0].name
    side = session.run([output], {name: np.zeros((1, 3, TILE, TILE), np.float32)})[0].shape[-1]
    margin = (TILE - side) // 2
    _, height, width = scene.shape
    blocks = [-(-height // side), -(-width // side)]
    padding = [(0, 0)] + [(margin, n * side - length + margin) for n, length in zip(blocks, (height, width))]
    mirrored = np.pad(scene, padding, mode="reflect")
    rows = []
    for row in range(blocks[0]):
        line = []
        for column in range(blocks[1]):
            y, x = row * side, column * side
            scores = session.run([output], {name: mirrored[None, :, y : y + TILE, x : x + TILE]})[0][0]
            line.append(scores.reshape(-1, side, side))
        rows.append(np.concatenate(line, axis=2))
    return np.concatenate(rows, axis=1)[:, :height, :width]


def main():
    folder = Path(sys.argv[1])
    tensors = {}
    for path in sorted(folder.rglob("*.onnx")):
        if path.stem in SKIPPED:
            continue
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for output in session.get_outputs():
            for scene, (height, width) in SCENES.items():
                scores = whole(session, output.name, noise(height, width))
                samples = scores[:, lattice(height)][:, :, lattice(width)]
                name = f"{path.relative_to(folder).with_suffix('')}.{output.name}.{scene}"
                tensors[name] = np.ascontiguousarray(samples, np.float32)
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    save_file(tensors, Path(__file__).with_name("dummies.safetensors"), metadata=versions)


main()
