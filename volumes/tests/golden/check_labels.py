"""Whether what Swath writes lies where others think it does: on every volume of `$SWATH_DATA/medical`, and on enhanced images.

    pip install nibabel SimpleITK highdicom==0.28.2 pydicom==3.0.2 pylibjpeg[all] pyjpegls numpy
    cargo build --release -p swath-volumes --example threshold
    SWATH_DATA=... python check_labels.py ../../../target/release/examples/threshold

Labels are written by the example `threshold`, read back by nibabel (RAS), SimpleITK (LPS) and highdicom, and held against the image as pydicom
or nibabel reads it: each label against its voxel's value, each place against the image's. Any difference is an error.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import SimpleITK

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SWATH_DATA", HERE / "../../../../shared/data")) / "medical"


def label(values, limits):
    """How many limits a value reaches, as the example computes it: in single precision."""
    return sum((np.asarray(values, np.float32) >= np.float32(limit)).astype(np.uint8) for limit in limits)


def limits_of(values):
    """Two limits that are no value of the volume."""
    return [float(v) + 0.015 for v in np.percentile(values, [50, 85])]


def run(program, volume, output, limits):
    subprocess.run([program, volume, output, *map(str, limits)], check=True)


def label_table(image):
    return image.header.extensions[0].get_content()


def check_nifti(program, path, output):
    image = nibabel.load(path)
    values = image.get_fdata(dtype=np.float64)
    limits = limits_of(values)
    if values.ndim == 4:
        values = values[..., 0]
    run(program, path, output, limits)
    for name in ["labels.nii", "labels.nii.gz"]:
        written = nibabel.load(output / name)
        assert (written.affine == image.affine).all(), f"{path}: affine"
        for field in ["qform_code", "sform_code", "xyzt_units", "descrip", "intent_code", "magic"]:
            assert written.header[field] == image.header[field], f"{path}: {field}"
        assert written.header.get_zooms() == image.header.get_zooms()[:3]
        assert written.get_data_dtype() == np.uint8
        assert (np.asarray(written.dataobj) == label(values, limits)).all(), f"{path}: labels"
        assert b"<![CDATA[from " in label_table(written)
        # In ITK, image and labels lie on the same points of LPS space.
        try:
            itk_image = SimpleITK.ReadImage(str(path))
        except RuntimeError as error:
            # ITK reads no sheared volumes and no NIfTI-2 of some kinds; that is its own matter.
            print(f"  (ITK does not read {path.name}: {str(error).splitlines()[-1].strip()})")
            continue
        if itk_image.GetDimension() == 4:
            itk_image = itk_image[..., 0]
        itk = SimpleITK.ReadImage(str(output / name))
        for what in ["GetSize", "GetOrigin", "GetSpacing", "GetDirection"]:
            assert getattr(itk, what)() == getattr(itk_image, what)(), f"{path}: ITK's {what}"
        assert (label(SimpleITK.GetArrayFromImage(itk_image), limits) == SimpleITK.GetArrayFromImage(itk)).all(), f"{path}: ITK"
    return int((np.asarray(written.dataobj) > 0).sum())


def real_values(image):
    return image.pixel_array.astype(np.float64) * float(image.get("RescaleSlope", 1)) + float(image.get("RescaleIntercept", 0))


def check_series(program, path, output):
    """A folder or a file of single images."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    images = [pydicom.dcmread(file) for file in files]
    for image in images:
        # Whoever made them public emptied these.
        image.SOPInstanceUID = image.SOPInstanceUID or image.file_meta.MediaStorageSOPInstanceUID
        image.SOPClassUID = image.SOPClassUID or image.file_meta.MediaStorageSOPClassUID
    by_uid = {image.SOPInstanceUID: image for image in images}
    values = {uid: real_values(image) for uid, image in by_uid.items()}
    limits = limits_of(np.concatenate([plane.ravel() for plane in values.values()]))
    run(program, path, output, limits)

    labels = nibabel.load(output / "labels.nii.gz")
    voxels = np.asarray(labels.dataobj)
    to_lps = np.diag([-1, -1, 1, 1]) @ labels.affine
    itk = SimpleITK.ReadImage(str(output / "labels.nii.gz"))
    if "ImagePositionPatient" not in images[0]:
        [image] = images
        planes = real_values(image).reshape(-1, image.Rows, image.Columns)
        assert (label(planes, limits) == voxels.transpose(2, 1, 0)).all(), f"{path}: labels"
        assert not (output / "labels.dcm").exists()
        return int((voxels > 0).sum())

    # Each image lies on the plane of the label volume that has its labels, corner for corner: RAS through nibabel, LPS through ITK.
    normal = np.cross(*np.array(images[0].ImageOrientationPatient, float).reshape(2, 3))
    order = sorted(by_uid, key=lambda uid: normal @ np.array(by_uid[uid].ImagePositionPatient, float))
    for k, uid in enumerate(order):
        image = by_uid[uid]
        assert (label(values[uid], limits) == voxels[:, :, k].T).all(), f"{path}: labels of plane {k}"
        row, column = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
        for i, j in [(0, 0), (image.Columns - 1, 0), (0, image.Rows - 1)]:
            place = np.array(image.ImagePositionPatient, float)
            place = place + row * i * float(image.PixelSpacing[1]) + column * j * float(image.PixelSpacing[0])
            assert np.allclose((to_lps @ [i, j, k, 1])[:3], place, atol=1e-3), f"{path}: {place}"
            assert np.allclose(itk.TransformIndexToPhysicalPoint((i, j, k)), place, atol=1e-3), f"{path}: ITK, {place}"

    # The segmentation has the same labels, by the images that it refers to and by where it lies.
    segmentation = highdicom.seg.segread(output / "labels.dcm")
    assert segmentation.segmentation_type.value == "BINARY"
    assert segmentation.number_of_segments == len(limits)
    assert segmentation.PatientID == images[0].get("PatientID", "") and segmentation.StudyInstanceUID == (images[0].StudyInstanceUID or segmentation.StudyInstanceUID)
    for number in segmentation.segment_numbers:
        description = segmentation.get_segment_description(number)
        assert description.SegmentLabel == f"from {limits[number - 1]}"[:64] or description.SegmentLabel.startswith("from ")
        assert len(description.RecommendedDisplayCIELabValue) == 3
    assert all((label(plane, limits) > 0).any() for plane in values.values()), "the check wants a label on each plane"
    single = [uid for uid in order if "NumberOfFrames" not in by_uid[uid] or by_uid[uid].NumberOfFrames == 1]
    pixels = segmentation.get_pixels_by_source_instance(
        source_sop_instance_uids=single, combine_segments=True, relabel=False, ignore_spatial_locations=True
    )
    for k, uid in enumerate(single):
        assert (pixels[k] == label(values[uid], limits)).all(), f"{path}: segmentation of {uid}"
    if len(images) > 1:
        volume = segmentation.get_volume(combine_segments=True)
        for image in images:
            # highdicom places no series without one.
            image.FrameOfReferenceUID = image.get("FrameOfReferenceUID") or segmentation.FrameOfReferenceUID
        source = highdicom.get_volume_from_series(images)
        matched = volume.match_geometry(source)
        assert np.allclose(matched.affine, source.affine, atol=1e-3), f"{path}: affine of the segmentation"
        assert (np.asarray(matched.array) == label(source.array, limits)).all(), f"{path}: volume of the segmentation"
    # Empty frames are left out.
    frames = sum((label(plane, limits) == number).any() for plane in values.values() for number in range(1, len(limits) + 1))
    assert segmentation.NumberOfFrames == frames, f"{path}: {segmentation.NumberOfFrames} frames, not {frames}"
    return int((voxels > 0).sum())


def check_enhanced(program, path, output):
    """A file of several frames: the segmentation refers to each of them, and lies where they do."""
    [file] = path.iterdir()
    image = highdicom.Image.from_dataset(pydicom.dcmread(file))
    frames = [image.get_frame(k + 1, apply_modality_transform=True) for k in range(image.NumberOfFrames)]
    limits = limits_of(np.stack(frames))
    run(program, path, output, limits)
    segmentation = highdicom.seg.segread(output / "labels.dcm")
    pixels = segmentation.get_pixels_by_source_frame(
        image.SOPInstanceUID, list(range(1, len(frames) + 1)), combine_segments=True, assert_missing_frames_are_empty=True
    )
    for k, frame in enumerate(frames):
        assert (pixels[k] == label(frame, limits)).all(), f"{path}: segmentation of frame {k}"
    source = image.get_volume(apply_modality_transform=True)
    matched = segmentation.get_volume(combine_segments=True).match_geometry(source)
    assert (np.asarray(matched.array) == label(source.array, limits)).all(), f"{path}: volume of the segmentation"
    return int((pixels > 0).sum())


def main():
    program = sys.argv[1]
    for path in sorted((DATA / "nifti").iterdir()):
        with tempfile.TemporaryDirectory() as output:
            print(path.name, check_nifti(program, path, Path(output)))
    series = [path for path in sorted((DATA / "dicom").iterdir()) if path.name != "single"]
    for path in series + sorted((DATA / "dicom/single").iterdir()):
        with tempfile.TemporaryDirectory() as output:
            print(path.name, check_series(program, path, Path(output)))
    for name in ["enhanced", "enhanced_rle"]:
        with tempfile.TemporaryDirectory() as output:
            print(name, check_enhanced(program, HERE / "dicom" / name, Path(output)))


if __name__ == "__main__":
    main()
