"""Small DICOM series, and what pydicom and highdicom read from them: `dicom/*/`, `dicom.json`.

    pip install pydicom==3.0.2 highdicom==0.28.2 pylibjpeg[all]==2.1.0 pyjpegls==1.5.1 python-gdcm==3.2.6 pillow numpy
    python make_dicom.py
"""

import io
import json
import shutil
import zlib
from pathlib import Path

import gdcm
import highdicom
import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MRImageStorage,
    RLELossless,
)

HERE = Path(__file__).parent
FOLDER = HERE / "dicom"
ROWS, COLUMNS, SLICES = 12, 16, 3
ROOT = "1.2.826.0.1.3680043.8.498."
# A plane that is turned about all axes.
ROW = np.array([0.8, 0.6, 0.0])
COLUMN = np.array([-0.36, 0.48, 0.8])
SPACING = [0.75, 1.25]
STEP = 2.5


def smooth(seed, bits, signed=False, rows=ROWS, columns=COLUMNS):
    """Something like an image: slopes, an edge, a flat part and a little noise."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    top = 2 ** (bits - (1 if signed else 0))
    values = top * (0.3 + 0.3 * x / columns + 0.2 * np.sin(y / 2)) + generator.integers(0, max(top // 64, 2), (rows, columns))
    values[2:7, 3:11] = top * 0.1
    values[:, -2:] = 0
    if signed:
        values -= top * 0.4
    return values.astype(np.int64)


def image(index, values, bits=12, signed=False, modality="CT", uid="1", high=None, **fields):
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
    made.SOPInstanceUID = f"{ROOT}{uid}.{index + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID = ROOT + "7", f"{ROOT}8.{uid}"
    made.FrameOfReferenceUID = ROOT + "9"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Phantom^Swath", "SW-1", "", ""
    made.StudyID, made.StudyDate, made.StudyTime, made.AccessionNumber, made.ReferringPhysicianName = "1", "20200102", "", "", ""
    made.Modality, made.SeriesNumber, made.InstanceNumber, made.Manufacturer = modality, 1, index + 1, "Swath"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.PositionReferenceIndicator = ""
    made.Rows, made.Columns = values.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = 8 if bits <= 8 else 16
    made.BitsStored, made.HighBit = bits, bits - 1 if high is None else high
    made.PixelRepresentation = int(signed)
    made.ImageOrientationPatient = [*ROW, *COLUMN]
    normal = np.cross(ROW, COLUMN)
    made.ImagePositionPatient = [round(float(v), 6) for v in np.array([-30.5, 12.25, 100.0]) + normal * STEP * index]
    made.PixelSpacing = SPACING
    made.SliceThickness = 3
    if modality == "CT":
        made.RescaleSlope, made.RescaleIntercept, made.RescaleType = 1, -1024, "HU"
    for name, value in fields.items():
        setattr(made, name, value)
    dtype = {(8, 0): "<u1", (8, 1): "<i1", (16, 0): "<u2", (16, 1): "<i2"}[made.BitsAllocated, made.PixelRepresentation]
    made.PixelData = values.astype(dtype).tobytes()
    made["PixelData"].VR = "OW" if made.BitsAllocated == 16 else "OB"
    return made


def enhanced(frames, modality_slopes):
    """One file with a frame for each slice, not in the order of their places."""
    made = image(0, frames[0], uid="20")
    made.SOPClassUID = EnhancedCTImageStorage
    for name in ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope", "RescaleIntercept"]:
        delattr(made, name)
    made.NumberOfFrames = len(frames)
    made.PixelData = np.stack(frames).astype("<u2").tobytes()
    shared, per_frame = Dataset(), []
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = SPACING, 3
    orientation.ImageOrientationPatient = [*ROW, *COLUMN]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    normal = np.cross(ROW, COLUMN)
    for index, (slope, intercept) in enumerate(modality_slopes):
        place, values, content, item = Dataset(), Dataset(), Dataset(), Dataset()
        order = [1, 0, 2][index]
        place.ImagePositionPatient = [round(float(v), 6) for v in np.array([-30.5, 12.25, 100.0]) + normal * STEP * order]
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, intercept, "HU"
        content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", order + 1, [1, order + 1]
        item.PlanePositionSequence = Sequence([place])
        item.PixelValueTransformationSequence = Sequence([values])
        item.FrameContentSequence = Sequence([content])
        per_frame.append(item)
    made.PerFrameFunctionalGroupsSequence = Sequence(per_frame)
    return made


def save(made, path, syntax=ExplicitVRLittleEndian):
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    little = syntax != ExplicitVRBigEndian
    if not little:
        made.PixelData = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()
    pydicom.dcmwrite(path, made, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little, enforce_file_format=True)


def jpeg_lossless(path):
    """JPEG lossless, which of these libraries only GDCM writes."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def series(name, images, syntax=ExplicitVRLittleEndian, finish=None):
    for index, made in enumerate(images):
        path = FOLDER / name / f"{[2, 0, 1, 3][index]}.dcm"
        if syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless):
            options = {"jls_error": 3} if syntax == JPEGLSNearLossless else {}
            uid = made.SOPInstanceUID
            made.compress(syntax, generate_instance_uid=False, **options)
            assert made.SOPInstanceUID == uid
            save(made, path, syntax)
        else:
            save(made, path, syntax)
        if finish:
            finish(path)


def stored(made):
    """Stored values as pydicom reads them, of which unused bits are removed here."""
    shift = made.HighBit + 1 - made.BitsStored
    if shift:
        # pydicom's arrays take the highest bits for unused ones, wherever HighBit says the samples are; its buffers are whole cells.
        cells, _ = get_decoder(made.file_meta.TransferSyntaxUID).as_buffer(made, raw=True)
        values = np.frombuffer(cells, "<u2").reshape(made.Rows, made.Columns).astype(np.int64)
    else:
        values = made.pixel_array.astype(np.int64)
    values = (values >> shift) & (2**made.BitsStored - 1)
    if made.PixelRepresentation:
        values = np.where(values >= 2 ** (made.BitsStored - 1), values - 2**made.BitsStored, values)
    return values


def read(folder):
    """The volume as highdicom places it, and its values; x is the first axis."""
    images = [pydicom.dcmread(file) for file in sorted(folder.iterdir())]
    if "PerFrameFunctionalGroupsSequence" in images[0]:
        made = images[0]
        groups = made.PerFrameFunctionalGroupsSequence
        places = [np.array(group.PlanePositionSequence[0].ImagePositionPatient, float) for group in groups]
        rescale = [group.PixelValueTransformationSequence[0] for group in groups]
        frames = [(place, plane, values) for place, plane, values in zip(places, stored(made), rescale)]
        volume = highdicom.Image.from_dataset(made).get_volume(apply_modality_transform=False)
    else:
        frames = [(np.array(made.ImagePositionPatient, float), stored(made), made) for made in images]
        volume = highdicom.get_volume_from_series(images, apply_modality_transform=False)
    normal = np.cross(ROW, COLUMN)
    frames.sort(key=lambda frame: normal @ frame[0])
    real = [
        plane * float(rescale.get("RescaleSlope", 1)) + float(rescale.get("RescaleIntercept", 0)) for _, plane, rescale in frames
    ]
    # highdicom's axes are planes (against the normal or along it), rows and columns.
    affine = volume.affine.copy()
    if (normal @ affine[:3, 0]) < 0:
        affine[:3, 3] += affine[:3, 0] * (len(frames) - 1)
        affine[:3, 0] *= -1
    lps = affine[:, [2, 1, 0, 3]]
    ras = np.diag([-1, -1, 1, 1]) @ lps
    voxels = np.stack(real).astype(np.float32)
    return {
        "size": list(voxels.shape[::-1]),
        "affine": ras.tolist(),
        "orientation": "".join(nibabel.aff2axcodes(ras)),
        "crc32": zlib.crc32(voxels.astype("<f4").tobytes()),
        # Decoders of lossy JPEG round otherwise.
        **({"values": voxels.reshape(-1).tolist()} if folder.name == "enhanced_jpeg" else {}),
    }


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    plain = lambda uid, **fields: [image(k, smooth(k, 12), uid=uid, **fields) for k in range(SLICES)]
    series("explicit", plain("1"))
    series("implicit", plain("2"), ImplicitVRLittleEndian)
    series("big_endian", plain("3"), ExplicitVRBigEndian)
    series("rle", plain("4"), RLELossless)
    # OpenJPEG refuses fewer than 32 pixels a side.
    large = dict(rows=32, columns=32)
    series("jpeg2000", [image(k, smooth(k, 12, **large), uid="5") for k in range(SLICES)], JPEG2000Lossless)
    series("jpeg_ls", plain("6"), JPEGLSLossless)
    series("jpeg_ls_near", plain("7"), JPEGLSNearLossless)
    series("jpeg_lossless", plain("8"), finish=jpeg_lossless)
    signed = lambda uid, **fields: [image(k, smooth(k, 16, True), 16, True, uid=uid, **fields) for k in range(SLICES)]
    series("signed", signed("11", RescaleIntercept=0))
    series("signed_jpeg2000", [image(k, smooth(k, 16, True, **large), 16, True, uid="12", RescaleIntercept=0) for k in range(SLICES)], JPEG2000Lossless)
    series("signed_rle", signed("13", RescaleIntercept=0), RLELossless)
    series("signed_jpeg_ls", signed("21", RescaleIntercept=0), JPEGLSLossless)
    bytes_ = lambda uid: [image(k, smooth(k, 8), 8, modality="MR", uid=uid) for k in range(SLICES)]
    series("bytes", bytes_("14"))
    series("bytes_jpeg_ls", bytes_("15"), JPEGLSLossless)
    series("bytes_rle", bytes_("16"), RLELossless)
    series("bytes_jpeg_ls_near", bytes_("22"), JPEGLSNearLossless)
    series("five_bits_jpeg_ls", [image(k, smooth(k, 5), 5, modality="MR", uid="23") for k in range(SLICES)], JPEGLSLossless)

    # 12 signed bits below an overlay in the upper four.
    overlaid = []
    for k in range(SLICES):
        values = smooth(k, 12, True)
        overlaid.append(image(k, (values & 0xFFF) | ((k + 9) << 12), 12, False, uid="17", RescaleIntercept=0))
        overlaid[-1].PixelRepresentation = 1
    series("overlay_bits", overlaid)
    shifted = lambda uid: [image(k, smooth(k, 12) << 4 | 5, 12, uid=uid, high=15) for k in range(SLICES)]
    series("high_bit", shifted("18"))
    series("high_bit_rle", shifted("24"), RLELossless)
    slopes = [image(k, smooth(k, 12), modality="MR", uid="19", RescaleSlope=0.25 + k / 8, RescaleIntercept=k * -1.5) for k in range(SLICES)]
    series("slope_of_each", slopes)
    series("enhanced", [enhanced([smooth(k, 12) for k in range(SLICES)], [(1, -1024), (2, -1000.5), (0.5, 3)])])
    compressed = enhanced([smooth(k, 12) for k in range(SLICES)], [(1, -1024)] * SLICES)
    compressed.SOPInstanceUID += ".2"
    series("enhanced_rle", [compressed], RLELossless)
    # Baseline JPEG of frames in two fragments each, found by the offset table.
    frames = []
    for k in range(SLICES):
        stream = io.BytesIO()
        Image.fromarray(smooth(k, 8).astype(np.uint8)).save(stream, "JPEG", quality=95)
        frames.append(stream.getvalue())
    jpeg = enhanced([smooth(k, 8) for k in range(SLICES)], [(1, -100)] * SLICES)
    jpeg.SOPInstanceUID += ".3"
    jpeg.BitsAllocated, jpeg.BitsStored, jpeg.HighBit = 8, 8, 7
    jpeg.PixelData = encapsulate(frames, fragments_per_frame=2)
    jpeg["PixelData"].is_undefined_length = True
    jpeg["PixelData"].VR = "OB"
    series("enhanced_jpeg", [jpeg], JPEGBaseline8Bit)

    expected = {folder.name: read(folder) for folder in sorted(FOLDER.iterdir())}
    for name in ["implicit", "big_endian", "rle", "jpeg_ls", "jpeg_lossless"]:
        assert expected[name]["crc32"] == expected["explicit"]["crc32"], name
    assert expected["high_bit_rle"]["crc32"] == expected["high_bit"]["crc32"]
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in expected.items()]
    (HERE / "dicom.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
