"""Small NIfTI files, and what nibabel reads from them: `nifti/*.nii`, `nifti/*.nii.gz`, `nifti.json`.

    pip install nibabel==5.3.2 numpy
    python make_nifti.py
"""

import gzip
import json
from pathlib import Path

import nibabel
import numpy as np

HERE = Path(__file__).parent
FOLDER = HERE / "nifti"
SIZE = (5, 4, 3)
SFORM = np.array([[-1.5, 0.1, 0.2, 30.25], [0.05, 2.0, -0.3, -41.5], [0.1, 0.25, 3.25, 7.125], [0, 0, 0, 1]])


def values(dtype, size=SIZE):
    """Voxels that differ from all of their neighbours, and reach the ends of the type."""
    count = int(np.prod(size))
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        flat = [info.min, info.max] + [(7 * k) % 97 - (40 if info.min < 0 else 0) for k in range(2, count)]
    else:
        flat = [-1e30, 3.5e-7] + [0.37 * k - 5 for k in range(2, count)]
    return np.array(flat, dtype=np.float64 if dtype in (np.float32, np.float64) else dtype).astype(dtype).reshape(size, order="F")


def header(version=nibabel.Nifti1Header, order="<", dtype=np.int16, size=SIZE, **fields):
    """A header with an sform of its own, before `fields` are changed; nothing in it is checked."""
    made = version(endianness=order, check=False)
    made.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    made.set_data_shape(size)
    made.set_zooms((1.5, 2.0, 3.25) + (1.0,) * (len(size) - 3))
    made.set_sform(SFORM, 1)
    made["vox_offset"] = 352 if version is nibabel.Nifti1Header else 544
    made["scl_slope"], made["scl_inter"] = 1, 0
    made["magic"] = b"n+1" if version is nibabel.Nifti1Header else b"n+2\0\r\n\x1a\n"
    for name, value in fields.items():
        if name.startswith("pixdim"):
            made["pixdim"][int(name[6:])] = value
        else:
            made[name] = value
    return made


def content(made, voxels, extension=b""):
    dtype = made.get_data_dtype()
    return made.binaryblock + (extension or b"\0\0\0\0") + voxels.astype(dtype).tobytes(order="F")


def main():
    FOLDER.mkdir(exist_ok=True)
    files = {}
    for name in ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]:
        dtype = np.dtype(name).type
        files[f"{name}.nii"] = content(header(dtype=dtype), values(dtype))
    plain = values(np.int16)
    for name in ["int16", "float64", "uint32"]:
        dtype = np.dtype(name).type
        files[f"big_endian_{name}.nii"] = content(header(order=">", dtype=dtype, scl_slope=0.7, scl_inter=-3.3), values(dtype))
    files["slope.nii"] = content(header(scl_slope=0.1, scl_inter=-1024.5), plain)
    files["slope_zero.nii"] = content(header(scl_slope=0, scl_inter=5), plain)
    files["slope_nan.nii"] = content(header(scl_slope=np.nan, scl_inter=np.nan), plain)
    files["slope_infinite.nii"] = content(header(scl_slope=np.inf, scl_inter=0), plain)
    half = np.sqrt(0.5)
    turned = dict(sform_code=0, qform_code=1, quatern_b=0.1, quatern_c=-0.3, quatern_d=0.5, qoffset_x=3.5, qoffset_y=-90, qoffset_z=17)
    files["qform.nii"] = content(header(**turned), plain)
    files["qform_mirrored.nii"] = content(header(**turned, pixdim0=-1), plain)
    files["qform_half_turn.nii"] = content(
        header(sform_code=0, qform_code=2, quatern_b=half, quatern_c=half, quatern_d=0, qoffset_z=-8.5), plain
    )
    files["qform_negative_spacing.nii"] = content(header(**turned, pixdim1=-1.5, pixdim2=0, pixdim0=0.5), plain)
    files["both_forms.nii"] = content(header(**{**turned, "sform_code": 2}), plain)
    files["unknown_sform_code.nii"] = content(header(**{**turned, "sform_code": 77}), plain)
    files["no_forms.nii"] = content(header(sform_code=0, qform_code=0), plain)
    files["four_dimensions.nii"] = content(header(size=(5, 4, 3, 2)), values(np.int16, (5, 4, 3, 2)))
    files["last_length_one.nii"] = content(header(size=(5, 4, 3, 1)), values(np.int16, (5, 4, 3, 1)))
    files["two_dimensions.nii"] = content(header(size=(5, 4, 1), dim=[2, 5, 4, 1, 1, 1, 1, 1]), values(np.int16, (5, 4, 1)))
    second = header(nibabel.Nifti2Header, dtype=np.uint16, scl_slope=0.25, scl_inter=2)
    files["nifti2.nii"] = content(second, values(np.uint16))
    second = header(nibabel.Nifti2Header, order=">", dtype=np.float32, **turned)
    files["nifti2_big_endian_qform.nii"] = content(second, values(np.float32))
    extension = b"\1\0\0\0" + np.array([32, 6], "<i4").tobytes() + b"a comment of 24 bytes   " + np.array([16, 4], "<i4").tobytes() + b"<afni/> "
    files["extensions.nii"] = content(header(vox_offset=400), plain, extension)
    whole = content(header(), plain)
    files["one_member.nii.gz"] = gzip.compress(whole, mtime=0)
    parts = [whole[:100], whole[100:361], whole[361:]]
    files["three_members.nii.gz"] = b"".join(gzip.compress(part, mtime=0) for part in parts)
    files["zeros_after.nii.gz"] = gzip.compress(whole, mtime=0) + bytes(700)
    files["garbage_after.nii.gz"] = gzip.compress(whole, mtime=0) + b"-- end of tape --"

    expected = {}
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
    for name in sorted(files):
        # Python's gzip refuses garbage after the last member: what is before it is that of another file.
        image = nibabel.load(FOLDER / name.replace("garbage_after", "one_member"))
        voxels = np.asarray(image.get_fdata(dtype=np.float64))
        with np.errstate(over="ignore"):
            real = voxels.astype(np.float32).reshape(-1, order="F")
        assert np.isfinite(real).all(), name
        shape = list(voxels.shape) + [1] * (4 - voxels.ndim)
        expected[name] = {
            "size": shape[:3],
            "frames": shape[3],
            "affine": image.affine.tolist(),
            "orientation": "".join(nibabel.aff2axcodes(image.affine)),
            "values": [float(value) for value in real],
        }
    (HERE / "nifti.json").write_text(json.dumps(expected, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
