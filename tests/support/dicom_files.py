"""DICOM files as scanners write them, made by pydicom; Pillow packs the pixels of JPEG and JPEG 2000."""

from __future__ import annotations

import io

import numpy as np

EXPLICIT = "1.2.840.10008.1.2.1"
ROOT = "1.2.826.0.1.3680043.2.1125.1"
CT, ENHANCED_CT, ULTRASOUND = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.3.1",
)


def write_slice(
    path, voxels, position, *, direction=None, syntax=EXPLICIT, number=1, series=1, instance=None, enhanced=False,
    frames=1, positions=None, spacing=(0.7, 0.5), sop_class=CT, **elements,
):  # fmt: skip
    """Write an image, or frames ``(f, y, x)`` of them; ``elements`` are keywords of DICOM with their values."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    direction = np.eye(3) if direction is None else np.asarray(direction)
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UID(ENHANCED_CT if enhanced else sop_class)
    data.SOPInstanceUID = f"{ROOT}.9.{series}.{number if instance is None else instance}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.Modality, data.PatientName = "CT", "Doe^Jane"
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2.{series}"
    data.SeriesNumber, data.InstanceNumber = series, number
    if enhanced:
        _add_groups(data, positions or [np.add(position, [0, 0, 2 * z]) for z in range(frames)], direction, spacing)
    elif position is not None:
        data.ImagePositionPatient = [f"{one:.10g}" for one in position]
        data.ImageOrientationPatient = [f"{one:.10g}" for one in (*direction[:, 0], *direction[:, 1])]
    if not enhanced and spacing:
        data.PixelSpacing = [f"{one:.10g}" for one in spacing]
    _add_pixels(data, np.asarray(voxels), frames, syntax)
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)


def _add_groups(data, positions, direction, spacing):
    """Functional groups of an enhanced object: one place for each frame, one orientation for all."""
    from pydicom.dataset import Dataset

    def item(**elements):
        one = Dataset()
        for keyword, value in elements.items():
            setattr(one, keyword, value)
        return one

    cosines = [f"{one:.10g}" for one in (*direction[:, 0], *direction[:, 1])]
    measures = item(PixelSpacing=[f"{one:.10g}" for one in spacing], SliceThickness="1")
    data.SharedFunctionalGroupsSequence = [
        item(PlaneOrientationSequence=[item(ImageOrientationPatient=cosines)], PixelMeasuresSequence=[measures])
    ]
    data.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[f"{one:.10g}" for one in position])])
        for position in positions
    ]


def _add_pixels(data, voxels, frames, syntax):
    data.Rows, data.Columns = voxels.shape[-2:] if voxels.shape[-1] != 3 else voxels.shape[-3:-1]
    data.SamplesPerPixel = 3 if voxels.shape[-1] == 3 else 1
    data.PhotometricInterpretation = "RGB" if data.SamplesPerPixel == 3 else "MONOCHROME2"
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = voxels.dtype.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(voxels.dtype.kind == "i")
    if frames > 1:
        data.NumberOfFrames = frames
    if syntax.endswith((".4.50", ".4.90")):
        from PIL import Image
        from pydicom.encaps import encapsulate

        stream = io.BytesIO()
        Image.fromarray(voxels).save(stream, format="JPEG" if syntax.endswith(".50") else "JPEG2000", quality=95)
        data.PixelData = encapsulate([stream.getvalue()])
        data["PixelData"].VR = "OB"
    elif syntax.endswith(".1.2.5"):
        data.file_meta.TransferSyntaxUID = EXPLICIT
        data.PixelData = voxels.tobytes()
        data.compress("1.2.840.10008.1.2.5")
    else:
        data.PixelData = voxels.astype(voxels.dtype.newbyteorder(">" if syntax.endswith(".1.2.2") else "<")).tobytes()
        data["PixelData"].VR = "OW" if voxels.dtype.itemsize > 1 else "OB"
