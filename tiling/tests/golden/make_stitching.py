"""Writes stitching.json: what MONAI and nnU-Net stitch of tiles whose scores depend on the place in the tile.

    pip install numpy scipy torch monai==1.6.1 acvl_utils && pip install --no-deps nnunetv2==2.8.1 batchgenerators \
        batchgeneratorsv2 dynamic_network_architectures
    python make_stitching.py

The image at flat position i is (37 i mod 101) / 101 + 0.25, the score of channel c at flat position j of a tile x_j (1 + r_j + c / 4) with
r_j = (13 j mod 17) / 17: no tile agrees with its neighbour, so every mistake of stitching shows. MONAI's results come from
`monai.inferers.sliding_window_inference`, nnU-Net's from `nnUNetPredictor.predict_sliding_window_return_logits` with the network replaced.

Arrays are in C order, the last axis contiguous, each value the shortest decimal that reads back as the same f32.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from monai.inferers import sliding_window_inference

# Image, window, overlap, channels: larger and indivisible, equal, smaller along one axis and along all, one slice of a volume.
MONAI = [
    ((17, 13), (8, 6), 0.5, 2),
    ((17, 13), (8, 6), 0.25, 1),
    ((20, 12), (8, 6), 0.7, 1),
    ((8, 6), (8, 6), 0.5, 2),
    ((5, 13), (8, 6), 0.25, 3),
    ((5, 4), (8, 6), 0.5, 1),
    ((10, 9, 7), (6, 6, 6), 0.5, 2),
    ((9, 10, 11), (4, 5, 6), 0.25, 1),
    ((6, 6, 6), (6, 6, 6), 0.25, 1),
    ((4, 9, 7), (6, 6, 6), 0.5, 1),
    ((4, 3, 5), (6, 6, 6), 0.5, 1),
    ((3, 11, 9), (1, 6, 5), 0.5, 2),
]
NNUNET = [((17, 13), (8, 6), 2), ((11, 8), (8, 8), 1), ((10, 9, 7), (6, 6, 6), 2), ((9, 11, 13), (4, 6, 8), 1), ((6, 6, 6), (6, 6, 6), 1), ((4, 9, 7), (6, 6, 6), 1)]


def image(extent):
    flat = np.arange(int(np.prod(extent)))
    return ((37 * flat % 101) / np.float32(101) + np.float32(0.25)).astype(np.float32).reshape(extent)


def predict(tiles, channels):
    """(batch, 1, ...) to (batch, channels, ...), in f32."""
    flat = torch.arange(int(np.prod(tiles.shape[2:])))
    ramp = ((13 * flat % 17).float() / 17).reshape(tiles.shape[2:])
    return torch.cat([tiles * (1 + ramp + c / 4) for c in range(channels)], dim=1)


def monai(extent, window, overlap, channels, mode):
    x = torch.from_numpy(image(extent))[None, None]
    return sliding_window_inference(x, window, 1, lambda tile: predict(tile, channels), overlap=overlap, mode=mode)[0]


def nnunet(extent, window, channels):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=False, perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.network = torch.nn.Identity()
    predictor.configuration_manager = SimpleNamespace(patch_size=window)
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=channels)
    predictor._internal_maybe_mirror_and_predict = lambda tile: predict(tile, channels)
    x = torch.from_numpy(image(extent))
    x = x[None, None] if x.ndim == 2 else x[None]
    logits = predictor.predict_sliding_window_return_logits(x)
    assert logits.dtype == torch.half, logits.dtype
    return logits.float()


def values(array):
    return [float(str(np.float32(v))) for v in np.asarray(array).ravel()]


def main():
    golden = {"monai": [], "nnunet": []}
    for extent, window, overlap, channels in MONAI:
        for mode in ["constant", "gaussian"]:
            scores = values(monai(extent, window, overlap, channels, mode))
            golden["monai"].append({"image": extent, "window": window, "overlap": overlap, "channels": channels, "mode": mode, "scores": scores})
    for extent, window, channels in NNUNET:
        golden["nnunet"].append({"image": extent, "window": window, "channels": channels, "scores": values(nnunet(extent, window, channels))})
    path = Path(__file__).with_name("stitching.json")
    parts = [f'"{peer}": [\n  ' + ",\n  ".join(json.dumps(case) for case in cases) + "\n]" for peer, cases in golden.items()]
    path.write_text("{" + ",\n".join(parts) + "}\n")
    assert json.loads(path.read_text()) == json.loads(json.dumps(golden))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
