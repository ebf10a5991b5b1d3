# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Media through the worker, and handlers run by hand."""

import json
import os
import subprocess
import sys
import unittest

from process import PACKAGE, HandlerTestCase


class MediaTests(HandlerTestCase):
    def test_there_and_back(self):
        picture = os.urandom(3_000_000)
        self.server.media["s3://media/originals/a b?c"] = picture
        self.start(
            """
            import hashlib, io, malla
            def handler(job):
                ref = job["input"]["image"]
                whole = malla.media.read(ref, field="/image", limit=4_000_000)
                with malla.media.open(ref) as source:
                    pieces = b"".join(source)
                assert whole == pieces and source.size == len(whole)
                class Endless(io.RawIOBase):
                    left = 3
                    def readable(self): return True
                    def read(self, n=-1):
                        self.left -= 1
                        return b"abc" if self.left >= 0 else b""
                file = io.BytesIO(b"skipped" + whole); file.seek(7)
                return [
                    malla.media.write(whole, content_type="image/png", name="a ü.png", origin=ref),
                    malla.media.write(file, name="file"),
                    malla.media.write(Endless(), name="endless"),
                    malla.media.write(b"", name="empty"),
                    malla.media.write(malla.media.open(ref), name="copied"),
                ]
            malla.serve(handler)
            """
        )
        self.put({"image": "s3://media/originals/a b?c"})
        result = self.server.result("job-0")
        self.assertEqual(len(result.get("output", [])), 5, result)
        media = self.server.media
        self.assertEqual(media["s3://media/derived/a ü.png"], picture)
        self.assertEqual(media["s3://media/derived/a ü.png#type"], b"image/png")
        self.assertEqual(media["s3://media/derived/a ü.png#origin"], b"s3://media/originals/a b?c")
        self.assertEqual(media["s3://media/derived/file"], picture)
        self.assertEqual(media["s3://media/derived/endless"], b"abcabcabc")
        self.assertEqual(media["s3://media/derived/empty"], b"")
        self.assertEqual(media["s3://media/derived/copied"], picture)

    def test_half_of_the_media_is_not_the_whole(self):
        self.start(
            """
            import http.client, io, malla
            def handler(job):
                broken = []
                for take in (lambda r: r.read(), lambda r: list(r), lambda r: [r.read(2), r.read(2), r.read(2)]):
                    try:
                        take(malla.media.Reader(io.BytesIO(b"abc"), 5, "text/plain"))
                    except http.client.IncompleteRead as error:
                        broken.append(error.expected)
                whole = malla.media.Reader(io.BytesIO(b"abc"), 3, "text/plain")
                return [broken, (whole.read(0) + whole.read(2) + whole.read() + whole.read()).decode()]
            malla.serve(handler)
            """
        )
        self.put({})
        self.assertEqual(self.server.result("job-0").get("output"), [[2, 2, 2], "abc"])

    def test_what_is_no_media(self):
        self.start("import malla\nmalla.serve(lambda job: malla.media.write(job['input']))")
        self.put("a text")
        result = self.server.result("job-0")
        self.assertIn("takes bytes or a binary file, not 'str'", str(result.get("error")))

    def test_missing_too_large_and_a_store_that_is_down(self):
        self.server.media["big"] = b"x" * 1000
        failures = [503, True]
        self.server.fault = lambda kind, body: failures.pop() if kind == "media" and failures else None
        self.start(
            """
            import malla
            malla.serve(lambda job: len(malla.media.read(job["input"], field="image", limit=999)))
            """
        )
        self.put("big", "s3://no/such", "", 5, None)
        words = ["larger than 999", "no media s3://no/such", "reference", "reference", "reference"]
        for number, word in enumerate(words):
            error = json.loads(self.server.result("job-{}".format(number))["error"])
            self.assertEqual((error["category"], error["final"], error["field"]), ("invalid_input", True, "/image"))
            self.assertIn(word, error["error_message"])
        self.server.fault = lambda kind, body: 503 if kind == "media" else None
        self.server.put({"id": "down", "input": "big"})
        error = json.loads(self.server.result("down")["error"])
        self.assertEqual((error["category"], error["final"]), ("media", False))


class LocalTests(HandlerTestCase):
    def by_hand(self, code, *arguments, stdin=""):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RUNPOD_", "MALLA_"))}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=dict(environment, PYTHONPATH=PACKAGE),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            cwd=self.folder.name,
        )

    def test_by_hand(self):
        code = "import malla\nmalla.serve(lambda job: job['input']['a'])"
        done = self.by_hand(code, "--input", '{"a": [1, 2]}')
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, [1, 2]))
        self.assertEqual(self.by_hand(code, stdin='{"a": 3}').stdout.strip(), "3")
        self.assertEqual(self.by_hand(code, "--input", "{").returncode, 2)
        failed = self.by_hand(code, "--input", "{}")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("KeyError", failed.stderr)

    def test_media_are_files(self):
        code = (
            "import malla\n"
            "async def handler(job):\n"
            "    return malla.media.write(malla.media.read(job['input'], field='image')[::-1], name='x')\n"
            "malla.serve(handler)"
        )
        path = os.path.join(self.folder.name, "in")
        with open(path, "wb") as file:
            file.write(b"abc")
        done = self.by_hand(code, "--input", json.dumps(path))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.folder.name, json.loads(done.stdout)), "rb") as file:
            self.assertEqual(file.read(), b"cba")
        missing = self.by_hand(code, "--input", '"nowhere"')
        self.assertEqual((missing.returncode, json.loads(missing.stdout)["field"]), (1, "/image"))


if __name__ == "__main__":
    unittest.main()
