# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""face-embed: a photograph and the box of a face in, a vector out."""

from __future__ import annotations

import logging
import math
import os
import sys
from typing import Any, Dict, List, Optional, Tuple

import malla

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "face"))

import picture as pictures  # noqa: E402
from descriptor import MODEL, Descriptor  # noqa: E402
from insight import InsightFace, Unavailable  # noqa: E402

logger = logging.getLogger("malla")

#: The profile in use: an object with vector(picture, box), and its name.
profile: Any = None
model = MODEL


def setup() -> None:
    """Loads the profile that FACE_EMBED_PROFILE names: auto, classical or insightface."""
    global profile, model
    wanted = os.environ.get("FACE_EMBED_PROFILE", "auto").strip().lower() or "auto"
    if wanted not in ("auto", "classical", "insightface"):
        raise SystemExit("FACE_EMBED_PROFILE must be auto, classical or insightface, not {!r}".format(wanted))
    if wanted != "classical":
        try:
            profile = InsightFace()
            model = profile.model
        except Unavailable as reason:
            if wanted == "insightface":
                raise SystemExit("FACE_EMBED_PROFILE is insightface, but {}".format(reason)) from None
            logger.info("the classical profile is used: %s", reason)
    if profile is None:
        profile = Descriptor()
        model = MODEL


def box_of(given: Dict[str, Any], size: Tuple[int, int]) -> List[float]:
    """The box, checked against the picture. Raises malla.InvalidInput."""
    box = given.get("box")
    numbers = isinstance(box, list) and len(box) == 4 and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in box
    )
    if not numbers:
        raise malla.InvalidInput("/box", "a box is [x, y, width, height] in pixels")
    x, y, w, h = box
    if w < 8 or h < 8:
        raise malla.InvalidInput("/box", "the box is smaller than 8 x 8 pixels")
    if x >= size[0] or y >= size[1] or x + w <= 0 or y + h <= 0 or w > 2 * size[0] or h > 2 * size[1]:
        raise malla.InvalidInput("/box", "the box does not lie in the picture of {} x {} pixels".format(*size))
    return [float(value) for value in box]


def handler(batch: List[Dict[str, Any]]) -> List[Any]:
    """Several faces; those of the same photograph share its reading. One that is wrong fails alone."""
    opened: Dict[str, Any] = {}
    results: List[Any] = []
    for job in batch:
        try:
            if malla.cancelled(job):
                raise malla.Cancelled()
            given = job["input"] if isinstance(job["input"], dict) else {}
            photograph = _open(given.get("image"), opened)
            vector = profile.vector(photograph, box_of(given, photograph.size))
            # The box goes along, so that whoever gets the vector still knows whose face it is.
            numbers = [round(float(value), 6) for value in vector]
            results.append({"vector": numbers, "model": model, "box": given["box"]})
        except Exception as error:
            results.append(error)
    return results


def _open(ref: Optional[Any], opened: Dict[str, Any]) -> Any:
    if not isinstance(ref, str) or ref not in opened:
        # At most one is kept: a batch of large photographs must not add up.
        photograph = pictures.read(ref, "/image")
        opened.clear()
        opened[str(ref)] = photograph
    return opened[str(ref)]


if __name__ == "__main__":
    malla.serve(handler, batch=8, setup=setup)
