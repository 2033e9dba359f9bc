"""Writes tapers.json: importance maps and window starts of MONAI and nnU-Net, as their own functions compute them.

    pip install numpy scipy torch monai==1.6.1 acvl_utils && pip install --no-deps nnunetv2==2.8.1
    python make_tapers.py

The maps come from `monai.data.utils.compute_importance_map` and nnU-Net's `compute_gaussian`, the starts from MONAI's
`dense_patch_slices` and nnU-Net's `compute_steps_for_sliding_window`. Each is also computed here from its formula, and has to agree.
Only MONAI's `axes` are the formula alone: one axis before the clamp, which MONAI applies to the product.

Arrays are in C order, the last axis contiguous, each value the shortest decimal that reads back as the same f32.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers.utils import _get_scan_interval
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window

LENGTHS = [8, 96, 128]
PRODUCTS = [(24, 33), (16, 12, 8)]
MONAI_STARTS = [
    (300, 96, 0.25), (300, 96, 0.5), (512, 128, 0.25), (96, 96, 0.25), (97, 96, 0.25),
    (100, 10, 0.9), (300, 100, 0.8), (300, 96, 0.7), (65, 64, 0.0), (100, 3, 0.25),
]  # fmt: skip
NNUNET_STARTS = [(110, 64), (300, 96), (512, 96), (97, 64), (64, 64), (65, 64), (50, 3), (1001, 128)]


def values(array):
    """The values of an f16 or f32 array as the shortest decimals of f32."""
    return [float(str(np.float32(v))) for v in np.asarray(array).ravel()]


def monai_axis(length):
    """exp(-x^2 / (2 sigma^2)) about (length - 1) / 2 with sigma = length / 8; not clamped."""
    x = np.arange(length) - (length - 1) / 2
    return np.exp(-(x**2) / (2 * (0.125 * length) ** 2))


def monai_map(extent):
    """The product over the axes, no smaller than its own minimum or 1e-3, whichever is larger."""
    product = np.array(1.0)
    for length in extent:
        product = product[..., None] * monai_axis(length)
    real = compute_importance_map(tuple(extent), mode="gaussian", sigma_scale=0.125).numpy()
    np.testing.assert_allclose(real, np.maximum(product, max(product.min(), 1e-3)), rtol=2e-6)
    return real


def monai_starts(image, window, overlap):
    interval = window if window == image else max(1, math.trunc(window * (1 - overlap)))
    count = next(k for k in range(image) if k * interval + window >= image) + 1
    formula = [min(k * interval, image - window) for k in range(count)]
    real = dense_patch_slices((image,), (window,), _get_scan_interval((image,), (window,), 1, (overlap,)))
    real = [int(s.start) for (s,) in real]
    assert real == formula, (image, window, overlap, real, formula)
    return real


def nnunet_map(extent):
    """f16(10 exp(-sum (i - n // 2)^2 / (2 (n / 8)^2))); what underflows to zero becomes the smallest value that did not."""
    exponent = np.array(0.0)
    for length in extent:
        axis = -0.5 * ((np.arange(length) - length // 2) / (length / 8)) ** 2
        exponent = exponent[..., None] + axis
    formula = (10 * np.exp(exponent)).astype(np.float16)
    formula[formula == 0] = formula[formula != 0].min()
    real = compute_gaussian(tuple(extent), 1 / 8, value_scaling_factor=10, device=torch.device("cpu")).numpy()
    np.testing.assert_allclose(real.astype(np.float64), formula.astype(np.float64), rtol=1e-3, atol=6e-8)  # one f16 step
    return real


def nnunet_starts(image, window):
    count = math.ceil((image - window) / (window * 0.5)) + 1
    step = (image - window) / max(count - 1, 1)
    formula = [round(step * k) for k in range(count)]  # Python rounds half to even
    (real,) = compute_steps_for_sliding_window((image,), (window,), 0.5)
    assert real == formula, (image, window, real, formula)
    return real


def check_known_values(golden):
    """Figures written down when the peers were studied, so that a new version of either package is noticed."""
    np.testing.assert_allclose(golden["monai"]["axes"][0]["values"][:4], [0.00218749, 0.0439369, 0.324652, 0.882497], rtol=1e-5)
    axis = golden["monai"]["axes"][1]["values"]
    np.testing.assert_allclose([axis[0], axis[48]], [0.000395958, 0.999132], rtol=2e-6)
    eight = [0.0033550, 0.1110840, 1.3535156, 6.0664062, 10, 6.0664062, 1.3535156, 0.1110840]
    np.testing.assert_allclose(golden["nnunet"]["maps"][0]["values"], eight, atol=6e-8)
    starts = {(s["image"], s["window"], s["overlap"]): s["starts"] for s in golden["monai"]["starts"]}
    assert starts[300, 96, 0.25] == [0, 72, 144, 204]
    assert starts[300, 96, 0.5] == [0, 48, 96, 144, 192, 204]
    assert starts[512, 128, 0.25] == [0, 96, 192, 288, 384]
    assert starts[100, 10, 0.9] == list(range(91)), "an interval of trunc(0.99..) = 0 becomes 1"
    assert starts[300, 100, 0.8][1] == 19 and starts[300, 96, 0.7][1] == 28
    starts = {(s["image"], s["window"]): s["starts"] for s in golden["nnunet"]["starts"]}
    assert starts[110, 64] == [0, 23, 46]
    assert starts[300, 96] == [0, 41, 82, 122, 163, 204]
    assert starts[512, 96] == [0, 46, 92, 139, 185, 231, 277, 324, 370, 416]
    assert starts[97, 64] == [0, 16, 33], "16.5 is rounded to even"
    long = golden["nnunet"]["maps"][2]["values"]
    np.testing.assert_allclose([long[0], long[64], long[127]], [0.00335463, 10, 0.00429902], rtol=1e-3)
    assert 0.57 < golden["monai"]["floor"]["voxels"] / 96**3 < 0.59


def main():
    cube = compute_importance_map((96, 96, 96), mode="gaussian", sigma_scale=0.125).numpy()
    golden = {
        "monai": {
            "axes": [{"length": n, "values": values(monai_axis(n))} for n in LENGTHS],
            "maps": [{"extent": e, "values": values(monai_map(e))} for e in [(8,), (96,), *PRODUCTS]],
            # Voxels of a 96 x 96 x 96 map that sit at the clamp.
            "floor": {"extent": [96, 96, 96], "value": 1e-3, "voxels": int((cube == cube.min()).sum())},
            "starts": [{"image": i, "window": w, "overlap": o, "starts": monai_starts(i, w, o)} for i, w, o in MONAI_STARTS],
        },
        "nnunet": {
            "maps": [{"extent": e, "values": values(nnunet_map(e))} for e in [(8,), (7,), (128,), *PRODUCTS]],
            "starts": [{"image": i, "window": w, "starts": nnunet_starts(i, w)} for i, w in NNUNET_STARTS],
        },
    }
    check_known_values(golden)
    path = Path(__file__).with_name("tapers.json")
    sections = []
    for peer, parts in golden.items():
        body = ",\n".join(f'  "{name}": {one_per_line(part)}' for name, part in parts.items())
        sections.append(f'"{peer}": {{\n{body}\n}}')
    path.write_text("{" + ",\n".join(sections) + "}\n")
    assert json.loads(path.read_text()) == json.loads(json.dumps(golden))
    print(f"{path}: {path.stat().st_size} bytes")


def one_per_line(part):
    """One entry of a list per line, so that a change shows up as one line of a diff."""
    if isinstance(part, list):
        return "[\n    " + ",\n    ".join(json.dumps(e) for e in part) + "\n  ]"
    return json.dumps(part)


if __name__ == "__main__":
    main()
