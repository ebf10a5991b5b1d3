# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""face-embed: the same face is nearer than another one."""

import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import skimage.data
from PIL import Image, ImageFilter

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("..", os.path.join("..", "..", "..", "python")):
    sys.path.insert(0, os.path.join(HERE, folder))

os.environ["FACE_EMBED_PROFILE"] = "classical"

import handler as face_embed  # noqa: E402
import malla  # noqa: E402

BOX = [172, 68, 102, 102]


def other_faces():
    """Real faces of 25 x 25 pixels that scikit-image carries, enlarged, and the box of each."""
    for index in range(0, 100, 7):
        face = Image.fromarray(skimage.data.lfw_subset()[index].astype(np.float32)).resize((150, 150))
        pixels = np.pad(np.asarray(face).clip(0, 1), 75, mode="edge")
        yield Image.fromarray((pixels * 255).astype(np.uint8)).convert("RGB"), [85, 85, 130, 130]


class FaceEmbedTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        face_embed.setup()
        cls.astronaut = Image.fromarray(skimage.data.astronaut())
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        os.environ.pop("MALLA_MEDIA_URL", None)
        cls.reference = cls.vector(cls.astronaut, BOX)

    @classmethod
    def vector(cls, picture, box):
        return face_embed.profile.vector(picture, box)

    def test_shape_and_length(self):
        path = os.path.join(self.folder.name, "a.png")
        self.astronaut.save(path)
        first, second = face_embed.handler([{"id": "1", "input": {"image": path, "box": BOX}}] * 2)
        self.assertEqual(first, second)
        self.assertEqual((len(first["vector"]), first["model"], first["box"]), (256, "lbp-hog-v1", BOX))
        self.assertAlmostEqual(float(np.linalg.norm(first["vector"])), 1, places=4)
        self.assertAlmostEqual(float(np.dot(first["vector"], self.reference)), 1, places=4)

    def test_the_same_face_is_nearer_than_any_other(self):
        noise = np.random.RandomState(1).normal(0, 15, (512, 512, 3))
        x, y, w, h = BOX
        same = {
            "brighter": (self.astronaut.point(lambda v: min(255, int(v * 1.3 + 20))), BOX),
            "darker": (self.astronaut.point(lambda v: int(v * 0.5)), BOX),
            "mirrored": (self.astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT), [512 - x - w, y, w, h]),
            "box moved": (self.astronaut, [x + 5, y - 4, w, h]),
            "box larger": (self.astronaut, [x - 5, y - 5, w + 10, h + 10]),
            "cropped": (self.astronaut.crop((140, 40, 310, 210)), [x - 140, y - 40, w, h]),
            "half the size": (self.astronaut.resize((256, 256)), [v / 2 for v in BOX]),
            "three times the size": (self.astronaut.resize((1536, 1536)), [v * 3 for v in BOX]),
            "tilted": (self.astronaut.rotate(6, Image.Resampling.BICUBIC, center=(x + w / 2, y + h / 2)), BOX),
            "noisy": (Image.fromarray(np.clip(skimage.data.astronaut() + noise, 0, 255).astype(np.uint8)), BOX),
            "blurred": (self.astronaut.filter(ImageFilter.GaussianBlur(1.5)), BOX),
        }
        others = [self.vector(*other) for other in other_faces()]
        self.assertGreater(len(others), 10)
        limit = max(float(other @ self.reference) for other in others)
        self.assertLess(limit, 0.6)
        for name, (picture, box) in same.items():
            with self.subTest(name):
                found = self.vector(picture, box)
                self.assertGreater(float(found @ self.reference), 0.65)
                self.assertGreater(
                    float(found @ self.reference), max(float(found @ other) for other in others) + 0.1
                )

    def test_others_find_themselves(self):
        known = np.stack([self.vector(*other) for other in other_faces()])
        for index, (picture, box) in enumerate(other_faces()):
            moved = [box[0] + 3, box[1] - 3, box[2], box[3]]
            again = self.vector(picture.point(lambda v: int(v * 0.7 + 15)), moved)
            self.assertEqual(int(np.argmax(known @ again)), index)

    def test_nothing_to_see_is_still_a_vector(self):
        flat = self.vector(Image.new("RGB", (100, 100)), [10, 10, 50, 50])
        self.assertTrue(np.isfinite(flat).all())

    def test_wrong_input_names_its_field(self):
        path = os.path.join(self.folder.name, "b.png")
        self.astronaut.save(path)
        boxes = [
            None, [1, 2, 3], [0, 0, 0, 0], ["a", 1, 2, 3], [600, 0, 50, 50], [0, 0, float("nan"), 9],
            [-100, 0, 50, 50], [0, 0, 1e9, 1e9], [True, 1, 20, 20],
        ]
        for box in boxes:
            with self.subTest(str(box)):
                error = face_embed.handler([{"id": "1", "input": {"image": path, "box": box}}])[0]
                self.assertIsInstance(error, malla.InvalidInput)
                self.assertEqual(error.field, "/box")
        bad, good = face_embed.handler(
            [{"id": "1", "input": {"image": "/nowhere", "box": BOX}}, {"id": "2", "input": {"image": path, "box": BOX}}]
        )
        self.assertEqual(bad.field, "/image")
        self.assertEqual(good["model"], "lbp-hog-v1")

    def test_insightface_is_refused_with_a_reason_when_it_is_not_there(self):
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "..", "handler.py"), "--input", "{}"],
            env=dict(
                os.environ,
                FACE_EMBED_PROFILE="insightface",
                INSIGHTFACE_HOME=self.folder.name,
                PYTHONPATH=os.path.join(HERE, "..", "..", "..", "python"),
            ),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no weights", done.stderr)


if __name__ == "__main__":
    unittest.main()
