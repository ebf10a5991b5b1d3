# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""lbp-hog-v1: a face as 256 numbers, with classical means only.

1. The box, grown by 12, 25 and 40 %, becomes a grey square of 96 x 96, smoothed so that large and small
   photographs of a face look alike, its histogram equalised (CLAHE), its rim weighed down.
2. Uniform local binary patterns (8 neighbours, radius 1 and 2; 59 kinds) are counted in 6 x 6 blocks, gradient
   directions (HOG, 8 of them) in 8 x 8 cells. Each part: signed square root, length 1.
3. A fixed random projection (seeded, from the frozen generator of numpy) brings both to 256 dimensions.
4. The mean of a set of faces is taken away, and what all faces share in is damped (whitening with strong shrinkage):
   without that any two faces are 90 % alike. The set is the 100 small faces that scikit-image carries
   (`skimage.data.lfw_subset`), computed at start, so no file of weights is needed.
5. The vector is the mean over the face and its mirror image, over three slightly different crops, of length 1.

Cosine similarity: 0.8 and more for the same photograph cropped, mirrored, tilted by a few degrees or brightened, under
0.6 for other people; 0.65 is a fair line between the two.
"""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np
from PIL import Image
from skimage.data import lfw_subset
from skimage.exposure import equalize_adapthist
from skimage.feature import hog, local_binary_pattern
from skimage.filters import gaussian

MODEL = "lbp-hog-v1"
DIMENSIONS = 256
SIDE = 96

_SEED = 20_261
_BLOCKS = 6
_SHRINKAGE = 0.3
_CROPS = (1.12, 1.25, 1.4)


class Descriptor:
    """Holds the projection and the statistics of faces; one per process."""

    def __init__(self) -> None:
        y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
        self._rim = np.exp(-1.2 * (x**2 + y**2) ** 1.5)
        self._projection: Optional[np.ndarray] = None
        faces = [np.pad(face, 4, mode="edge") for face in lfw_subset()[:100]]
        projected = np.stack([self._both_sides(_square(face)) for face in faces])
        self._mean = projected.mean(axis=0)
        centred = projected - self._mean
        covariance = centred.T @ centred / len(centred)
        values, vectors = np.linalg.eigh(covariance)
        floor = _SHRINKAGE * float(values[-20:].mean())
        # The symmetric root: unlike a PCA it does not hang on the signs that a solver picks.
        self._whitening = (vectors / np.sqrt(np.maximum(values, 0) + floor)) @ vectors.T

    def vector(self, picture: Image.Image, box: Sequence[float]) -> np.ndarray:
        """The face in the box [x, y, width, height] of an RGB picture."""
        grey = picture.convert("L")
        x, y, w, h = box
        total = np.zeros(DIMENSIONS)
        for grow in _CROPS:
            side = max(w, h) * grow
            left, top = x + w / 2 - side / 2, y + h / 2 - side / 2
            total += self._describe(_cut(grey, left, top, side))
        return total / max(float(np.linalg.norm(total)), 1e-12)

    def _describe(self, face: np.ndarray) -> np.ndarray:
        vector = self._whitening @ (self._both_sides(face) - self._mean)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    def _both_sides(self, face: np.ndarray) -> np.ndarray:
        return self._project(face) + self._project(face[:, ::-1])

    def _project(self, face: np.ndarray) -> np.ndarray:
        raw = self._raw(face)
        if self._projection is None:
            # RandomState is frozen by numpy's own promise; default_rng is not.
            random = np.random.RandomState(_SEED)
            self._projection = random.standard_normal((DIMENSIONS, raw.size)) / np.sqrt(DIMENSIONS)
        return self._projection @ raw

    def _raw(self, face: np.ndarray) -> np.ndarray:
        spread = float(face.max() - face.min())
        level = (face - face.min()) / spread if spread > 1e-6 else np.zeros_like(face)
        even = equalize_adapthist(gaussian(level, 1.2), kernel_size=SIDE // 3, clip_limit=0.02)
        as_bytes = (even * 255).astype(np.uint8)
        block = SIDE // _BLOCKS
        parts = []
        for radius in (1, 2):
            codes = local_binary_pattern(as_bytes, 8, radius, method="nri_uniform").astype(int)
            for top in range(0, SIDE, block):
                for left in range(0, SIDE, block):
                    here = (slice(top, top + block), slice(left, left + block))
                    counts = np.bincount(codes[here].ravel(), weights=self._rim[here].ravel(), minlength=59)
                    parts.append(counts[:59])
        patterns = _even_out(np.concatenate(parts))
        gradients = hog(
            even * self._rim, orientations=8, pixels_per_cell=(8, 8), cells_per_block=(2, 2), feature_vector=True
        )
        return np.concatenate([patterns, 1.5 * _even_out(gradients)])


def _even_out(vector: np.ndarray) -> np.ndarray:
    rooted = np.sign(vector) * np.sqrt(np.abs(vector))
    return rooted / max(float(np.linalg.norm(rooted)), 1e-12)


def _cut(grey: Image.Image, left: float, top: float, side: float) -> np.ndarray:
    """A square that may reach over the picture's edge; what is missing is filled from the nearest pixel."""
    box = (int(np.floor(left)), int(np.floor(top)), int(np.ceil(left + side)), int(np.ceil(top + side)))
    inside = (max(0, box[0]), max(0, box[1]), min(grey.width, box[2]), min(grey.height, box[3]))
    part = np.asarray(grey.crop(inside), dtype=np.float32) / 255
    margins = ((inside[1] - box[1], box[3] - inside[3]), (inside[0] - box[0], box[2] - inside[2]))
    return _square(np.pad(part, margins, mode="edge"))


def _square(face: np.ndarray) -> np.ndarray:
    image = Image.fromarray(np.asarray(face, dtype=np.float32))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0), dtype=np.float64)
