# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Starts a handler as a worker would: a process of its own, told everything by its environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from typing import Any, Dict, List

from fake_server import FakeServer

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class HandlerTestCase(unittest.TestCase):
    exchange = True

    def setUp(self) -> None:
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, code: str) -> str:
        path = os.path.join(self.folder.name, "handler.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(code))
        return path

    def start(self, code: str, **environment: str) -> "subprocess.Popen[bytes]":
        path = self.write(code)
        self.errors = open(os.path.join(self.folder.name, "errors"), "wb+")
        self.addCleanup(self.errors.close)
        process = subprocess.Popen(
            [sys.executable, path],
            env=self.environment(**environment),
            stderr=self.errors,
            stdout=subprocess.DEVNULL,
        )
        self.addCleanup(self.end, process)
        return process

    def environment(self, **more: str) -> Dict[str, str]:
        found = {key: value for key, value in os.environ.items() if not key.startswith(("RUNPOD_", "MALLA_"))}
        found.update(self.server.environment(self.exchange), PYTHONPATH=PACKAGE, **more)
        return found

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        if process.poll() is None:
            process.kill()
        process.wait()

    def stderr(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def put(self, *inputs: Any) -> List[str]:
        names = ["job-{}".format(number) for number in range(len(inputs))]
        self.server.put(*({"id": name, "input": value} for name, value in zip(names, inputs)))
        return names
