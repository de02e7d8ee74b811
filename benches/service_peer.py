"""The service of ``examples/service`` on SimpleITK or ITK: ``PEER=itk uvicorn service_peer:app``.

The same request and the same answer: an upload, a source, a target and a threshold give the mask between them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import FastAPI, File, Form, Response, UploadFile

import packages

PEER = os.environ["PEER"]
app = FastAPI(title=PEER)
prepare = {"SimpleITK": packages.simpleitk, "itk": packages.itk}[PEER]()

if PEER == "itk":
    import itk

    read, array_of, image_of, write = itk.imread, itk.array_from_image, itk.image_from_array, itk.imwrite
else:
    import SimpleITK as sitk

    read, array_of, image_of = sitk.ReadImage, sitk.GetArrayFromImage, sitk.GetImageFromArray

    def write(image: sitk.Image, path: str) -> None:
        """Write as the other service does: packed."""
        sitk.WriteImage(image, path, useCompression=True)


@app.post("/segment")
def post_segment(
    scan: Annotated[UploadFile, File()],
    sources: Annotated[str, Form()],
    targets: Annotated[str, Form()],
    lower: Annotated[float, Form()],
) -> Response:
    """The mask of colliding fronts between a source and a target; FastAPI runs it in a thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scan.mha")
        path.write_bytes(scan.file.read())
        image = read(str(path))
        mask = image_of(inside(array_of(image), image.GetSpacing(), sources, targets, lower))
        mask.CopyInformation(image)
        write(mask, f"{folder}/mask.mha")
        return Response(Path(folder, "mask.mha").read_bytes(), media_type="application/octet-stream")


def inside(voxels: np.ndarray, spacing: object, sources: str, targets: str, lower: float) -> np.ndarray:
    """Speed from the threshold as VMTK maps it, fronts, and what they enclose, as uint8."""
    least, most = float(voxels.min()), float(voxels.max())
    floor = least - most
    request = {
        "speed": np.where(voxels >= lower, (voxels - floor) / (most - floor), 0).astype(np.float32),
        "spacing": list(spacing),
        "seeds": [[int(word) for word in sources.split()]],
        "goals": [[int(word) for word in targets.split()]],
        "stop_on_targets": True,
    }
    found = prepare(request)()
    fronts = found.GetOutput() if hasattr(found, "GetOutput") else found
    return (array_of(fronts) < 0).astype(np.uint8)
