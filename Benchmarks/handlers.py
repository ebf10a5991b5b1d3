#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Python handlers that do nothing, in jobs per second, and a large file through one, beside curl alone: medians.

Wants AMQP_URL, REDIS_URL, PG_URL, S3_ENDPOINT and its keys, and PYTHONPATH with the package malla (scripts/bench.sh
--handlers brings them). Each service has one warm process. Standard library only, and curl.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from overload_giants import call, task_end, write_service
from overload_load import Load
from overload_mesh import ROOT, Mesh

ECHO = "import malla\n\nmalla.serve(lambda job: job['input'])\n"
BATCH = "import malla\n\nmalla.serve(lambda jobs: [job['input'] for job in jobs], batch=32)\n"
# How each service is set up, and its handler.
SERVICES = {
    "one at a time": ("one", "", ECHO),
    "concurrency: 16": ("some", "concurrency: 16\n", ECHO),
    "batch: { max_size: 32 }": ("batch", "concurrency: 64\nbatch: { max_size: 32, max_wait: 2ms }\n", BATCH),
}
COPY = """
import time

import malla


def run(job):
    began = time.perf_counter()
    with malla.media.open(job["input"]["media"]) as source:
        size = sum(len(piece) for piece in source)
    read = time.perf_counter()
    with malla.media.open(job["input"]["media"]) as source:
        copy = malla.media.write(source, name="copy")
    return {"size": size, "read": read - began, "copied": time.perf_counter() - read, "copy": copy}


malla.serve(run)
"""


def definitions(folder: pathlib.Path) -> pathlib.Path:
    """An app with a fan-out over each service, and a method that copies a file."""
    methods = "  copy:\n    stages: { only: { service: copy, input: { $ref: \"request#\" } } }\n" \
        "    output: { type: META_DATA, data: { $ref: \"only#\" } }\n"
    (folder / "services").mkdir()
    (folder / "apps/bench").mkdir(parents=True)
    for name, settings, handler in SERVICES.values():
        write_service(folder, name, f"engine: process\ncommand: [python3, {name}.py]\nbacklog: 100000\n{settings}", handler)
        methods += (
            f"  {name}:\n    stages:\n      items: {{ service: {name}, foreach: {{ range: {{ $ref: \"request#/n\" }} }}, "
            "input: { index: { $ref: \"item#\" } } }\n    output: { type: META_DATA, data: { $ref: \"items#\" } }\n"
        )
    # A handler's file must not bear the name of a module that it needs.
    write_service(folder, "copy", "engine: process\ncommand: [python3, run.py]\nmax_attempts: 1\n")
    (folder / "services/copy/run.py").write_text(COPY)
    (folder / "apps/bench/app.yaml").write_text(f"app: bench\nprefix: BE\ndeadline: 10m\nmethods:\n{methods}")
    return folder


def rate(mesh: Mesh, service: str, jobs: int) -> float:
    """Jobs per second of one service, from the call to the callback of tasks that join so many: the median of three."""
    load = Load(mesh, 1, 1, 0, service, {"n": jobs})
    phase = load.closed_tasks(service, 1, 4)
    load.require_all(phase)
    # The first one warms up.
    return jobs / statistics.median(end[1] for end in phase.ends[1:])


class Peak:
    """The most of its own memory that a process has, looked at every 20 ms."""

    def __init__(self, pid: int) -> None:
        self.status = pathlib.Path(f"/proc/{pid}/status")
        self.at_rest = self.most = self.now()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def now(self) -> float:
        """Its own memory in MiB: no files, such as the program itself."""
        return int(re.search(r"RssAnon:\s+(\d+)", self.status.read_text())[1]) / 1024

    def watch(self) -> None:
        """Looks until the end."""
        while not self.ended.wait(0.02):
            self.most = max(self.most, self.now())

    def __enter__(self) -> "Peak":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


def seconds(*words: str) -> float:
    """How long a command takes."""
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def address(mesh: Mesh, path: str, body: object) -> "dict[str, str]":
    """A signed address for an own upload or its download."""
    status, answer = call(mesh, f"/bench/{path}?s3_key=big", body)
    if status != 200:
        raise SystemExit(f"{path}: {status} {answer!r}")
    return json.loads(answer)["data"]


def media(mesh: Mesh, file: pathlib.Path) -> None:
    """A file up, read and copied by a handler, and down again: curl alone and the handler in turns, three times."""
    size = file.stat().st_size
    rounds = []
    for number in range(1, 4):
        upload = address(mesh, "upload", {})
        up = seconds("curl", "-sfT", str(file), upload["presignedUrl"])
        down = seconds("curl", "-sfo", "/dev/null", address(mesh, "download", None)["url"])
        with Peak(mesh.processes["worker"].pid) as peak:
            end, answer = task_end(mesh, "/bench/call", {"method": "copy", "payload": {"media": upload["reference"]}})
        if not end.startswith("BE_000"):
            raise SystemExit(f"the copy ended as {end}")
        data = answer["response"]["data"]
        if data["size"] != size:
            raise SystemExit(f"the handler read {data['size']} bytes of {size}")
        rounds.append((up, down, data["read"], data["copied"], peak.most))
        print(f"round {number}: {up:.2f} s up, {down:.2f} down; a handler {data['read']:.2f} down, "
              f"{data['copied']:.2f} down and up; {peak.at_rest:.0f} MiB before, at most {peak.most:.0f}", flush=True)
    up, down, read, copied, most = (statistics.median(column) for column in zip(*rounds))
    # A copy is a download and an upload at once; curl alone would do one after the other.
    print(f"| {size >> 20} MiB | curl alone | a handler | ratio |\n|---|---|---|---|")
    print(f"| down | {down:.1f} s | {read:.1f} s | {down / read:.2f} |")
    print(f"| down and up | {up + down:.1f} s | {copied:.1f} s | {(up + down) / copied:.2f} |")
    print(f"The worker's own memory: at most {most:.0f} MiB.", flush=True)


def main() -> int:
    """The whole run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--malla", default=str(ROOT / ".build/release/malla"))
    parser.add_argument("-n", type=int, default=3000, help="jobs of a task (default 3000)")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the file (default 1024)")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="malla-handlers-"))
    try:
        with Mesh(options.malla, work, definitions(work)) as mesh:
            print("| one warm process | jobs/s |\n|---|---|")
            for words, (name, _, _) in SERVICES.items():
                print(f"| {words} | {rate(mesh, name, options.n):.0f} |", flush=True)
            file = work / "big"
            piece = os.urandom(1 << 20)
            with open(file, "wb") as big:
                for _ in range(options.size):
                    big.write(piece)
            media(mesh, file)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
