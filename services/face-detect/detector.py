# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Finding faces with scikit-image's LBP cascade.

The cascade alone is trigger-happy: a wrinkle in a flag gets a few windows. A real face gets many, at neighbouring
places and sizes, and gets them in the mirrored picture too. So the windows are counted by cluster in both pictures,
and a cluster counts as a face when enough of them agree, in each and in sum.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np
from PIL import Image
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

#: Larger pictures are shrunk to this length of their longer side before the search.
WORKING_SIDE = 640
#: Smallest face, in pixels of the shrunk picture; the cascade's own window has 24.
SMALLEST = 36
#: Windows that must agree: in the picture and in its mirror image each, and together.
AGREE_EACH = 3
AGREE_TOGETHER = 20

_Box = Tuple[float, float, float, float]


class Detector:
    """Holds the loaded cascade; one per process."""

    def __init__(self) -> None:
        self._cascade = Cascade(lbp_frontal_face_cascade_filename())

    def faces(self, picture: Image.Image) -> List[Dict[str, Any]]:
        """Faces as {"box": [x, y, width, height] in pixels, "score"}, the largest first. The score grows with the
        number of windows that agree and is between 0 and 1; it is no probability."""
        width, height = picture.size
        scale = min(1.0, WORKING_SIDE / max(width, height))
        small = picture
        if scale < 1:
            small = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)
        pixels = np.asarray(small)
        if min(pixels.shape[:2]) < SMALLEST:
            return []
        here = self._windows(pixels)
        mirrored = self._windows(np.ascontiguousarray(pixels[:, ::-1]))
        there = [(pixels.shape[1] - x - w, y, w, h) for x, y, w, h in mirrored]
        found = []
        for cluster in _clusters([(box, 0) for box in here] + [(box, 1) for box in there]):
            counts = [sum(1 for _, side in cluster if side == which) for which in (0, 1)]
            if min(counts) < AGREE_EACH or sum(counts) < AGREE_TOGETHER:
                continue
            x, y, w, h = np.median(np.array([box for box, _ in cluster]), axis=0) / scale
            left, top = max(0, round(float(x))), max(0, round(float(y)))
            right, bottom = min(width, round(float(x + w))), min(height, round(float(y + h)))
            score = round(sum(counts) / (sum(counts) + AGREE_TOGETHER), 3)
            found.append({"box": [left, top, right - left, bottom - top], "score": score})
        return sorted(found, key=lambda face: (-face["box"][2] * face["box"][3], face["box"]))

    def _windows(self, pixels: np.ndarray) -> List[_Box]:
        largest = min(pixels.shape[:2])
        found = self._cascade.detect_multi_scale(
            img=pixels,
            scale_factor=1.1,
            step_ratio=1,
            min_size=(SMALLEST, SMALLEST),
            max_size=(largest, largest),
            # No two windows overlap by more than all of themselves: the cascade's own grouping is switched off.
            min_neighbor_number=1,
            intersection_score_threshold=1.0,
        )
        return [(item["c"], item["r"], item["width"], item["height"]) for item in found]


def _clusters(windows: List[Tuple[_Box, int]]) -> List[List[Tuple[_Box, int]]]:
    """Windows whose centres are within a third of a face of each other."""
    clusters: List[List[Tuple[_Box, int]]] = []
    means: List[np.ndarray] = []
    for window in sorted(windows, key=lambda item: (-item[0][2], item[0], item[1])):
        x, y, w, h = window[0]
        for index, mean in enumerate(means):
            near_x = abs(x + w / 2 - mean[0] - mean[2] / 2) < 0.35 * mean[2]
            near_y = abs(y + h / 2 - mean[1] - mean[3] / 2) < 0.35 * mean[3]
            if near_x and near_y:
                clusters[index].append(window)
                means[index] = mean + (np.array(window[0], dtype=float) - mean) / len(clusters[index])
                break
        else:
            clusters.append([window])
            means.append(np.array(window[0], dtype=float))
    return clusters
