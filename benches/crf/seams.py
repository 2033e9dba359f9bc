"""Labels a noisy synthetic scene with and without a CRF, in one tile and in many, and prints what the borders of tiles and of fields are like.

    seams.py SWATH SIDE TILE

Needs numpy, onnx, rasterio and scipy. SIDE and TILE are in pixels; the one tile takes about 0.4 GB of memory for each megapixel of the scene.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import rasterio
from onnx import TensorProto, helper, numpy_helper
from rasterio.transform import from_origin
from scipy.ndimage import binary_dilation

GREYS, NOISE = np.array([80.0, 120.0, 160.0]), 30.0
CRF = "smoothness=3,smoothness-width=3,appearance=4,appearance-width=30,colour-width=60"


def make_scene(folder, side):
    y, x = np.mgrid[:side, :side].astype(np.float32)
    field = np.sin(x / 23) + np.cos(y / 17) + np.sin((x + 2 * y) / 41) + np.sin((3 * x - y) / 67)
    truth = np.digitize(field, [-0.5, 0.6])
    random = np.random.default_rng(11)
    image = np.clip(GREYS[truth] + random.normal(0, NOISE, (3, side, side)), 0, 255).astype(np.uint8)
    profile = dict(driver="GTiff", width=side, height=side, count=3, dtype="uint8", crs="EPSG:32633", transform=from_origin(4e5, 5e6, 10, 10))
    with rasterio.open(folder / "scene.tif", "w", **profile) as raster:
        raster.write(image)
    return truth


def make_model(swath, folder):
    """What can be said of a pixel by its own colour."""
    weights = (GREYS[:, None].repeat(3, 1) / NOISE**2).astype(np.float32)[:, :, None, None]
    bias = (-1.5 * GREYS**2 / NOISE**2).astype(np.float32)
    tensors = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in ("x", "y")]
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[1, 1])
    graph = helper.make_graph([node], "colours", values[:1], values[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "colours.onnx")
    command = f"{swath} model import colours.onnx --output model --bands 1,2,3 --classes a,b,c --scaling none --scores logits"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


def segment(swath, folder, name, more):
    command = f"{swath} segment scene.tif --model model --output {name}.tif --max-memory 16GiB --threads 2 -q {more}"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return rasterio.open(folder / f"{name}.tif").read(1).astype(int)


def borders(labels):
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    edge[:-1] |= labels[1:] != labels[:-1]
    return edge


def boundary_f1(truth, labels):
    a, b = borders(truth), borders(labels)
    near = lambda edge: binary_dilation(edge, np.ones((5, 5)))
    precision, recall = near(a)[b].mean(), near(b)[a].mean()
    return 2 * precision * recall / (precision + recall)


def changes(labels, places):
    """How often labels change across some rows and columns, over how often they do across all others."""
    is_border = np.zeros(len(labels) - 1, bool)
    is_border[np.array(places) - 1] = True
    x, y = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    across = lambda chosen: (x[:, chosen].sum() + y[chosen].sum()) / (2 * chosen.sum() * len(labels))
    return across(is_border) / across(~is_border)


def main():
    swath, side, tile = Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = make_scene(folder, side)
        make_model(swath, folder)
        plain = segment(swath, folder, "plain", "")
        whole = segment(swath, folder, "whole", f"--tile {side} --crf {CRF}")
        tiled = segment(swath, folder, "tiled", f"--tile {tile} --crf {CRF}")
    for what, labels in [("network", plain), ("CRF, one tile", whole), (f"CRF, tiles of {tile}", tiled)]:
        print(f"{what}: accuracy {(labels == truth).mean():.3f}, boundary F1 {boundary_f1(truth, labels):.3f}")
    step = tile - tile // 4
    starts = [min(start, side - tile) for start in range(step, side - tile + step, step)]
    places = sorted({place for start in starts for place in (start, start + tile // 8, start + tile // 4) if place < side})
    single, several = changes(whole, places), changes(tiled, places)
    print(f"label changes across {len(places)} rows and columns where tiles begin, meet and end, over those elsewhere: {several:.4f};")
    print(f"in one tile at the same places {single:.4f}; ratio {several / single:.4f}; labels that differ {(whole != tiled).mean():.1e}")


main()
