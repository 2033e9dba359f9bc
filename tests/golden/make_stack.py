"""Writes stack.json: coarse bands as GDAL's RasterIO brings them onto a finer grid with bilinear resampling.

pip install rasterio numpy
"""

import json
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

FINE = 24
NODATA = 0.0


def pixels(band: int, side: int) -> np.ndarray:
    """Values up to 10000 that look random, some of them nodata. `tests/stack.rs` makes the same."""
    y, x = np.mgrid[0:side, 0:side].astype(np.int64)
    values = (x * 73856093 ^ y * 19349663 ^ band * 83492791) % 10000 + 1
    # A corner without data, and single pixels.
    nothing = (x * 7 + y * 5 + band) % 11 == 0
    nothing |= (x >= side // 2) & (y >= side // 2) & (side > 4)
    return np.where(nothing, NODATA, values).astype(np.float32)


def bilinear(band: int, side: int) -> list[float]:
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "float32", "nodata": NODATA}
    profile |= {"crs": "EPSG:32633", "transform": from_origin(399960, 5000040, 240 / side, 240 / side)}
    with MemoryFile() as file:
        with file.open(**profile) as raster:
            raster.write(pixels(band, side), 1)
        with file.open() as raster:
            fine = raster.read(1, out_shape=(FINE, FINE), resampling=Resampling.bilinear)
    return [round(float(value), 4) for value in fine.ravel()]


cases = [{"band": band, "side": side, "fine": bilinear(band, side)} for band, side in [(1, 12), (2, 4), (3, 8)]]
text = json.dumps({"gdal": rasterio.__gdal_version__, "side": FINE, "cases": cases})
Path(__file__).with_name("stack.json").write_text(text + "\n")
