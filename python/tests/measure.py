# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Jobs per second of one warm process against the fake server: python3 python/tests/measure.py"""

import time
import unittest

from process import HandlerTestCase


class Measure(HandlerTestCase):
    def measure(self, what: str, arguments: str, count: int = 3000) -> None:
        self.start("import malla\nmalla.serve({})\n".format(arguments))
        self.server.put({"id": "warm", "input": {"text": "x" * 200}})
        self.server.result("warm")
        self.server.put(*({"id": str(number), "input": {"text": "x" * 200}} for number in range(count)))
        began = time.monotonic()
        self.server.wait(lambda: len(self.server.results) == count + 1, 120)
        print("{:<40} {:>8.0f} jobs/s".format(what, count / (time.monotonic() - began)), flush=True)

    def test_exchange(self) -> None:
        self.measure("exchange, one by one", "lambda job: job['input']")

    def test_exchange_batch(self) -> None:
        self.measure("exchange, batch=32", "lambda jobs: [job['input'] for job in jobs], batch=32", 20_000)

    def test_exchange_threads(self) -> None:
        self.measure("exchange, concurrency=16", "lambda job: job['input'], concurrency=16")

    def test_plain(self) -> None:
        self.exchange = False
        self.measure("plain, one by one", "lambda job: job['input']")

    def test_plain_batch(self) -> None:
        self.exchange = False
        self.measure("plain, batch=32", "lambda jobs: [job['input'] for job in jobs], batch=32")


if __name__ == "__main__":
    unittest.main()
