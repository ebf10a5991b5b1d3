# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""face-detect on real pictures and on what strangers send."""

import io
import os
import struct
import sys
import tempfile
import unittest
import zlib

import numpy as np
import skimage.data
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("..", os.path.join("..", "..", "..", "python")):
    sys.path.insert(0, os.path.join(HERE, folder))

import handler as face_detect  # noqa: E402
import malla  # noqa: E402


def png_that_claims(width, height):
    """A PNG of a few bytes whose header promises that many pixels."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


class FaceDetectTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        face_detect.setup()
        cls.astronaut = Image.fromarray(skimage.data.astronaut())

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.environ.pop("MALLA_MEDIA_URL", None)
        os.environ["MALLA_MEDIA_DIR"] = self.folder.name

    def save(self, picture, kind="PNG", **options):
        path = os.path.join(self.folder.name, "in." + kind.lower())
        if isinstance(picture, bytes):
            with open(path, "wb") as file:
                file.write(picture)
        else:
            picture.save(path, kind, **options)
        return path

    def detect(self, *paths):
        return face_detect.handler([{"id": str(n), "input": {"image": path}} for n, path in enumerate(paths)])

    def assert_face_of_the_astronaut(self, faces, x=224, y=119):
        self.assertEqual(len(faces), 1, faces)
        left, top, width, height = faces[0]["box"]
        self.assertLess(abs(left + width / 2 - x), 25)
        self.assertLess(abs(top + height / 2 - y), 25)
        self.assertTrue(0 < faces[0]["score"] < 1)

    def test_the_astronaut_and_the_annotated_copy(self):
        result = self.detect(self.save(self.astronaut))[0]
        self.assertEqual((result["width"], result["height"]), (512, 512))
        self.assert_face_of_the_astronaut(result["faces"])
        annotated = Image.open(result["annotated"])
        self.assertEqual((annotated.format, annotated.size), ("JPEG", (512, 512)))
        x, y, width, _ = result["faces"][0]["box"]
        red, green, blue = annotated.getpixel((x + width // 2, y))
        self.assertGreater(green, red + 60)

    def test_mirrored_dark_and_small(self):
        self.assert_face_of_the_astronaut(
            self.detect(self.save(self.astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))[0]["faces"], x=288
        )
        self.assert_face_of_the_astronaut(self.detect(self.save(self.astronaut.point(lambda v: v // 2)))[0]["faces"])
        half = self.detect(self.save(self.astronaut.resize((256, 256))))[0]["faces"]
        self.assert_face_of_the_astronaut(half, 112, 60)

    def test_large_is_found_in_its_own_pixels(self):
        result = self.detect(self.save(self.astronaut.resize((1536, 1536)), "JPEG"))[0]
        self.assertEqual(result["width"], 1536)
        self.assert_face_of_the_astronaut([dict(f, box=[v / 3 for v in f["box"]]) for f in result["faces"]])

    def test_exif_orientation(self):
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
        turned = self.astronaut.crop((0, 0, 512, 400)).transpose(Image.Transpose.ROTATE_90)
        result = self.detect(self.save(turned, "JPEG", exif=exif, quality=95))[0]
        self.assertEqual((result["width"], result["height"]), (512, 400))
        self.assert_face_of_the_astronaut(result["faces"])

    def test_modes_and_formats(self):
        for mode, kind in (("L", "PNG"), ("RGBA", "PNG"), ("P", "GIF"), ("CMYK", "JPEG"), ("RGB", "WEBP")):
            with self.subTest(mode + kind):
                self.assertEqual(len(self.detect(self.save(self.astronaut.convert(mode), kind))[0]["faces"]), 1)
        deep = Image.fromarray((np.asarray(self.astronaut.convert("L")).astype(np.uint16) * 257))
        self.assertEqual(len(self.detect(self.save(deep))[0]["faces"]), 1)

    def test_no_face_is_an_empty_list(self):
        for picture in (skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()):
            result = self.detect(self.save(Image.fromarray(picture)))[0]
            self.assertEqual(result["faces"], [])
            self.assertTrue(os.path.exists(result["annotated"]))
        for size in ((1, 1), (30, 400), (640, 480)):
            self.assertEqual(self.detect(self.save(Image.new("RGB", size)))[0]["faces"], [])

    def test_what_is_no_picture(self):
        whole = io.BytesIO()
        self.astronaut.save(whole, "JPEG")
        png = io.BytesIO()
        self.astronaut.save(png, "PNG")
        bad = {
            "text": b"hello",
            "empty": b"",
            "truncated JPEG": whole.getvalue()[:5000],
            "truncated PNG": png.getvalue()[:100_000],
            "bomb": png_that_claims(100_000, 100_000),
            "zero": png_that_claims(0, 10),
            "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        }
        for name, content in bad.items():
            with self.subTest(name):
                error = self.detect(self.save(content))[0]
                self.assertIsInstance(error, malla.InvalidInput)
                self.assertEqual(error.field, "/image")
        self.assertIn("limit", str(self.detect(self.save(bad["bomb"]))[0]))

    def test_a_wrong_one_fails_alone(self):
        good = self.save(self.astronaut)
        results = self.detect("/nowhere", good, None, 7)
        self.assertEqual([isinstance(result, malla.InvalidInput) for result in results], [True, False, True, True])
        self.assertEqual(face_detect.handler([{"id": "x", "input": None}])[0].field, "/image")


if __name__ == "__main__":
    unittest.main()
