#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Measures `bench/bench-3`: tasks per second and time from request to callback, on one machine.

Starts `malla dev` (or takes one that runs, with --url and --token), keeps some requests open end to end, and counts a
task only when its callback came, once. The client is Python and uses about a core: a figure to compare with itself.
Standard library only.
"""

import argparse
import asyncio
import base64
import json
import pathlib
import secrets
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse

from demo import DemoError, Mesh, adopt_orphans, end_orphans


async def read_message(reader: asyncio.StreamReader) -> "tuple[str, bytes] | None":
    """The first line and the body of an HTTP/1.1 message with a content-length; `None` at the end of the stream."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    length = 0
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return head.split("\r\n", 1)[0], await reader.readexactly(length)


class Load:
    """Requests in a closed loop, and the receiver of their callbacks."""

    def __init__(self, base: str, token: str, size: int) -> None:
        address = urllib.parse.urlsplit(base)
        self.host, self.port = address.hostname, address.port or 80
        self.token = token
        self.payload = {"payload": "x" * size}
        self.sent: "dict[str, float]" = {}
        self.arrived: "dict[str, float]" = {}
        self.waiting: "dict[str, asyncio.Event]" = {}
        self.duplicates = 0
        self.failed: "list[str]" = []

    async def take_callbacks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a caller back."""
        while message := await read_message(reader):
            body = json.loads(message[1])
            task = body["taskId"]
            if task in self.arrived:
                self.duplicates += 1
            self.arrived[task] = time.perf_counter()
            if not body["errorCode"]["status"].endswith("_000"):
                self.failed.append(f"{task}: {body['errorCode']}")
            self.waiting.setdefault(task, asyncio.Event()).set()
            writer.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    async def client(self, numbers: "asyncio.Queue[int]", callback: str, patience: float) -> None:
        """One open request after the other until the numbers are used up."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        body = json.dumps({"method": "bench-3", "payload": self.payload, "callbackUrl": callback}).encode()
        head = (
            f"POST /bench/call HTTP/1.1\r\nhost: {self.host}\r\ncontent-type: application/json\r\n"
            f"x-marketplace-token: {self.token}\r\nx-user-id: bench\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        while not numbers.empty():
            numbers.get_nowait()
            began = time.perf_counter()
            writer.write(head + body)
            answer = await read_message(reader)
            if answer is None or " 200 " not in answer[0] + " ":
                raise DemoError(f"a request was refused: {answer}")
            task = json.loads(answer[1])["response"]["taskId"]
            self.sent[task] = began
            try:
                await asyncio.wait_for(self.waiting.setdefault(task, asyncio.Event()).wait(), patience)
            except asyncio.TimeoutError:
                self.failed.append(f"{task}: no callback within {patience:.0f} s")
        writer.close()

    async def run(self, requests: int, window: int) -> float:
        """Sends the requests with at most `window` open; the seconds that all took."""
        server = await asyncio.start_server(self.take_callbacks, "127.0.0.1", 0)
        callback = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
        numbers: "asyncio.Queue[int]" = asyncio.Queue()
        for number in range(requests):
            numbers.put_nowait(number)
        began = time.perf_counter()
        await asyncio.gather(*(self.client(numbers, callback, 60) for _ in range(window)))
        took = time.perf_counter() - began
        server.close()
        return took

    def report(self, title: str, took: float) -> bool:
        """Prints a line; false if a task was lost, duplicated or unsuccessful."""
        times = sorted((self.arrived[task] - began) * 1000 for task, began in self.sent.items() if task in self.arrived)
        if len(times) < 2:
            print(f"{title}: no task ended", file=sys.stderr)
            return False
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
        print(
            f"{title:<22} {len(times):6} tasks  {len(times) / took:8.1f}/s"
            f"  median {statistics.median(times):7.2f} ms  p99 {p99:7.2f} ms  slowest {times[-1]:7.2f} ms"
        )
        if self.failed or self.duplicates:
            print(f"  {len(self.failed)} failed, {self.duplicates} duplicated", *self.failed[:3], sep="\n  ")
        return not self.failed and not self.duplicates


def main() -> int:
    """Runs the measurement; 0 if every task ended well, once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--malla", help="the malla binary to start")
    parser.add_argument("--url", help="an App API that runs already")
    parser.add_argument("--token", default="", help="its marketplace token")
    parser.add_argument("-n", type=int, default=3000, help="requests under load (default 3000)")
    parser.add_argument("-w", type=int, default=64, help="requests open at once under load (default 64)")
    parser.add_argument("--payload", type=int, default=1024, help="bytes of payload (default 1024)")
    arguments = parser.parse_args()
    if not arguments.malla and not arguments.url:
        parser.error("one of --malla and --url is needed")

    adopt_orphans()
    work, mesh, good = pathlib.Path(tempfile.mkdtemp(prefix="malla-bench.")), None, False
    try:
        base, token = arguments.url, arguments.token
        if not base:
            secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
            mesh = Mesh(arguments.malla, work / "data", work / "malla.log", secret)
            mesh.wait_until_ready(60)
            base, token = mesh.base, mesh.token
        good = True
        for title, requests, window in (
            ("warm-up", 200, 8),
            ("at rest (1 open)", 200, 1),
            (f"loaded ({arguments.w} open)", arguments.n, arguments.w),
        ):
            load = Load(base, token, arguments.payload)
            good = load.report(title, asyncio.run(load.run(requests, window))) and good
    except (DemoError, OSError, KeyError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        good = False
    finally:
        if mesh:
            mesh.stop()
        shutil.rmtree(work, ignore_errors=True)
        end_orphans()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
