# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The InsightFace profile: real recognition, when its package and its weights are on this machine."""

from __future__ import annotations

import glob
import os
from typing import Any, List, Optional, Sequence

import numpy as np
from PIL import Image


class Unavailable(Exception):
    """Why the profile cannot be used here."""


class InsightFace:
    """A model pack of InsightFace; one per process."""

    def __init__(self) -> None:
        """Raises Unavailable when the package or the weights are missing. Nothing is downloaded."""
        pack = os.environ.get("INSIGHTFACE_PACK", "buffalo_l")
        home = os.path.expanduser(os.environ.get("INSIGHTFACE_HOME", "~/.insightface"))
        folder = os.path.join(home, "models", pack)
        # Looked for first: without the folder the package would fetch the pack from the internet.
        if not glob.glob(os.path.join(folder, "*.onnx")):
            raise Unavailable("there are no weights (*.onnx) in {}".format(folder))
        try:
            from insightface.app import FaceAnalysis
            from insightface.app.common import Face
        except ImportError as error:
            raise Unavailable("the package insightface cannot be imported: {}".format(error)) from None
        self._face = Face
        app = FaceAnalysis(name=pack, root=home, allowed_modules=["detection", "recognition"], providers=_providers())
        app.prepare(ctx_id=0, det_size=(320, 320))
        if "recognition" not in app.models:
            raise Unavailable("the pack {} has no recognition model".format(pack))
        self._detection = app.det_model
        self._recognition = app.models["recognition"]
        self.model = "insightface-" + pack

    def vector(self, picture: Image.Image, box: Sequence[float]) -> np.ndarray:
        """The face in the box of an RGB picture: landmarks are found in its surroundings and the face is aligned by
        them; where none are found, the box is taken as it is."""
        x, y, w, h = box
        margin = 0.6 * max(w, h)
        around = picture.crop(
            (
                max(0, int(x - margin)),
                max(0, int(y - margin)),
                min(picture.width, int(x + w + margin)),
                min(picture.height, int(y + h + margin)),
            )
        )
        pixels = np.ascontiguousarray(np.asarray(around)[:, :, ::-1])  # InsightFace wants BGR
        landmarks = self._landmarks(pixels)
        if landmarks is not None:
            face = self._face(bbox=None, kps=landmarks, det_score=1.0)
            vector = self._recognition.get(pixels, face)
        else:
            square = picture.crop((int(x), int(y), int(x + w), int(y + h))).resize((112, 112))
            vector = self._recognition.get_feat(np.ascontiguousarray(np.asarray(square)[:, :, ::-1]))
        flat = np.asarray(vector, dtype=np.float64).ravel()
        return flat / max(float(np.linalg.norm(flat)), 1e-12)

    def _landmarks(self, pixels: np.ndarray) -> Optional[Any]:
        boxes, landmarks = self._detection.detect(pixels, max_num=0, metric="default")
        if landmarks is None or len(boxes) == 0:
            return None
        middle = np.array([pixels.shape[1], pixels.shape[0]]) / 2
        centres = (boxes[:, 0:2] + boxes[:, 2:4]) / 2
        return landmarks[int(np.argmin(((centres - middle) ** 2).sum(axis=1)))]


def _providers() -> List[str]:
    import onnxruntime

    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    return [name for name in wanted if name in onnxruntime.get_available_providers()]
