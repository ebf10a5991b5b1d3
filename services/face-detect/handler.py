# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""face-detect: a photograph in, the faces in it and an annotated copy out."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Dict, List, Optional

import malla
from PIL import Image, ImageDraw

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "face"))

import picture as pictures  # noqa: E402
from detector import Detector  # noqa: E402

#: The annotated copy is for people to look at: larger photographs are shrunk.
ANNOTATED_SIDE = 2048

detector: Optional[Detector] = None


def setup() -> None:
    """Loads the cascade once."""
    global detector
    detector = Detector()


def detect(job: Dict[str, Any]) -> Dict[str, Any]:
    """One photograph."""
    assert detector is not None
    given = job["input"]
    ref = given.get("image") if isinstance(given, dict) else None
    photograph = pictures.read(ref, "/image")
    faces = detector.faces(photograph)
    annotated = malla.media.write(
        annotate(photograph, faces), content_type="image/jpeg", name="annotated.jpg", origin=ref
    )
    return {"faces": faces, "width": photograph.width, "height": photograph.height, "annotated": annotated}


def annotate(photograph: Image.Image, faces: List[Dict[str, Any]]) -> bytes:
    """A JPEG with a rectangle around each face."""
    scale = min(1.0, ANNOTATED_SIDE / max(photograph.size))
    size = (max(1, round(photograph.width * scale)), max(1, round(photograph.height * scale)))
    copy = photograph.resize(size, Image.Resampling.BOX) if scale < 1 else photograph.copy()
    pen = ImageDraw.Draw(copy)
    line = max(2, max(size) // 250)
    for face in faces:
        x, y, w, h = (value * scale for value in face["box"])
        pen.rectangle((x, y, x + w - 1, y + h - 1), outline=(40, 220, 90), width=line)
    content = io.BytesIO()
    copy.save(content, "JPEG", quality=90)
    return content.getvalue()


def handler(batch: List[Dict[str, Any]]) -> List[Any]:
    """Several photographs; one that cannot be read fails alone."""
    results: List[Any] = []
    for job in batch:
        try:
            if malla.cancelled(job):
                raise malla.Cancelled()
            results.append(detect(job))
        except Exception as error:
            results.append(error)
    return results


if __name__ == "__main__":
    malla.serve(handler, batch=8, setup=setup)
