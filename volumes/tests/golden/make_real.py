"""What nibabel and pydicom read from the files of other people under `$SWATH_DATA/medical`: `real.json`.

    pip install nibabel==5.3.2 pydicom==3.0.1 pylibjpeg[all] pyjpegls numpy
    SWATH_DATA=... python make_real.py

Voxels are told by the CRC-32 of their values as little-endian f32, x fastest.
"""

import json
import os
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pydicom

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SWATH_DATA", HERE / "../../../../shared/data")) / "medical"


def described(voxels, affine):
    """Voxels with x as first axis."""
    real = np.asarray(voxels, np.float64).astype("<f4")
    shape = list(real.shape) + [1] * (4 - real.ndim)
    return {
        "size": shape[:3],
        "frames": shape[3],
        "affine": np.asarray(affine, np.float64).tolist(),
        "orientation": "".join(nibabel.aff2axcodes(affine)),
        "crc32": zlib.crc32(real.tobytes(order="F")),
    }


def real_values(image):
    slope, intercept = float(image.get("RescaleSlope", 1)), float(image.get("RescaleIntercept", 0))
    return image.pixel_array.astype(np.float64) * slope + intercept


def series(files):
    """Images of a series, by their places along the normal; the affine by PS3.3, C.7.6.2.1.1."""
    images = [pydicom.dcmread(file) for file in files]
    first = images[0]
    if "ImageOrientationPatient" not in first:
        rows, columns = [float(v) for v in first.get("PixelSpacing", [1, 1])]
        voxels = real_values(first)
        voxels = voxels.reshape(-1, *voxels.shape[-2:])
        # The place is made up: see `Warning::NoOrientation`.
        across = float(first.get("SpacingBetweenSlices", 0) or first.get("SliceThickness", 0) or 1)
        return described(voxels.transpose(2, 1, 0), np.diag([-columns, -rows, across, 1]))
    row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(row, column)
    images.sort(key=lambda image: normal @ np.array(image.ImagePositionPatient, float))
    places = [np.array(image.ImagePositionPatient, float) for image in images]
    lps = np.eye(4)
    rows, columns = [float(v) for v in first.PixelSpacing]
    lps[:3, 0], lps[:3, 1], lps[:3, 3] = row * columns, column * rows, places[0]
    if len(images) > 1:
        lps[:3, 2] = (places[-1] - places[0]) / (len(images) - 1)
    else:
        lps[:3, 2] = normal * float(first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 1)
    voxels = np.stack([real_values(image) for image in images])
    return described(voxels.transpose(2, 1, 0), np.diag([-1, -1, 1, 1]) @ lps)


def main():
    expected = {}
    for path in sorted((DATA / "nifti").iterdir()):
        image = nibabel.load(path)
        expected[f"nifti/{path.name}"] = described(image.get_fdata(dtype=np.float64), image.affine)
    for folder in sorted((DATA / "dicom").iterdir()):
        files = sorted(folder.iterdir())
        if folder.name == "single":
            for file in files:
                expected[f"dicom/single/{file.name}"] = series([file])
        else:
            expected[f"dicom/{folder.name}"] = series(files)
    (HERE / "real.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
