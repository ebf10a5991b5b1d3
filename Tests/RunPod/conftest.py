# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Starts one `malla dev` with the services beside this file; the runpod package is told its base URL, nothing else."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

HERE = pathlib.Path(__file__).parent
TREE = HERE.parent.parent
KEY = "runpod-test-key"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Mesh:
    """A running `malla dev`."""

    def __init__(self, folder: pathlib.Path):
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = folder / "malla.log"
        self.folder = folder
        (folder / "apps").mkdir()
        binary = os.environ.get("MALLA_BINARY", str(TREE / ".build/debug/malla"))
        command = [binary, "dev", "--port", str(free_port()), "--data", str(folder / "data")]
        environment = {
            **os.environ,
            "HTTP_PORT": str(self.port),
            "APPS_DIR": str(folder / "apps"),
            "SERVICES_DIR": str(HERE / "services"),
            "AI_SERVICE_TOKEN": KEY,
            "MALLA_PYTHON": sys.executable,
            # The webhooks of these tests go to this machine.
            "CALLBACK_ALLOW_NETWORKS": "127.0.0.0/8",
        }
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def wait_until_ready(self):
        end = time.monotonic() + 60
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail("malla dev does not start:\n" + self.log.read_text()[-4000:])
            try:
                with urllib.request.urlopen(self.base + "/readyz", timeout=2):
                    return
            except OSError:
                time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def mesh(tmp_path_factory):
    mesh = Mesh(tmp_path_factory.mktemp("malla"))
    try:
        mesh.wait_until_ready()
        yield mesh
    finally:
        mesh.stop()


@pytest.fixture(scope="session")
def runpod(mesh):
    """The package as from PyPI; it reads its base URL when it is imported."""
    os.environ["RUNPOD_ENDPOINT_BASE_URL"] = mesh.base + "/v2"
    import runpod

    runpod.api_key = KEY
    return runpod
