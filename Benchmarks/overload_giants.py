# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Giants beside a normal load: what each does to the others' latency."""

import collections
import http.client
import json
import multiprocessing
import pathlib
import shutil
import socket
import threading
import time
import urllib.request

from overload_load import Load, quantile
from overload_mesh import ROOT, Mesh


FORK = multiprocessing.get_context("fork")


def write_service(folder: pathlib.Path, name: str, settings: str, handler: "str | None" = None) -> None:
    """A service's definition, and its handler where it has one of its own."""
    own = folder / "services" / name
    own.mkdir()
    (own / "service.yaml").write_text(f"service: {name}\n{settings}")
    if handler:
        (own / f"{name}.py").write_text(handler)


def definitions(folder: pathlib.Path) -> pathlib.Path:
    """The benchmark's app and services, and beside them one whose jobs nobody takes and one of large outputs."""
    for part in ("apps/bench", "services/echo-1", "services/echo-2", "services/echo-3"):
        shutil.copytree(ROOT / part, folder / part)
    write_service(
        folder, "slow", "engine: process\ncommand: [python3, slow.py]\nconcurrency: 4\nbacklog: 20000\n",
        "import time\n\nimport malla\n\n\ndef run(job):\n    time.sleep(0.02)\n    return job['input']\n\n\n"
        "malla.serve(run)\n",
    )
    write_service(folder, "hold", "engine: remote\ntimeout: 1h\n")
    write_service(
        folder, "big", "engine: process\ncommand: [python3, big.py]\nmax_attempts: 1\n",
        "import malla\n\n\ndef run(job):\n    text = 'x' * job['input']['bytes']\n"
        "    return malla.media.write(text.encode()) if job['input'].get('media') else {'text': text}\n\n\n"
        "malla.serve(run)\n",
    )
    app = folder / "apps/giants"
    app.mkdir()
    (app / "app.yaml").write_text(
        "app: giants\nprefix: GI\ndeadline: 5m\nmethods:\n"
        + "".join(
            f"  {method}:\n    stages:\n"
            '      only: { service: big, input: { $ref: "request#" } }\n'
            f'    output: {{ type: {kind}, data: {{ $ref: "only#" }} }}\n'
            for method, kind in (("big", "META_DATA"), ("media", "S3_OBJECT"))
        )
        + "  fan:\n    stages:\n"
        '      items: { service: slow, foreach: { range: { $ref: "request#/n" } }, input: { n: { $ref: "item#" } } }\n'
        '    output: { type: META_DATA, data: { $ref: "items#" } }\n'
    )
    return folder


def call(mesh: Mesh, path: str, body: object, headers: "dict[str, str] | None" = None, port: int = 0) -> "tuple[int, bytes]":
    """One call, to the App API unless another port is named."""
    connection = http.client.HTTPConnection("127.0.0.1", mesh.port + port, timeout=120)
    base = {"x-marketplace-token": "overload-token", "x-user-id": "giant", "authorization": "Bearer overload-token",
            "content-type": "application/json", **(headers or {})}
    connection.request("POST" if body is not None else "GET", path, json.dumps(body) if body is not None else None, base)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def task_end(mesh: Mesh, path: str, body: object) -> "tuple[str, dict]":
    """Runs a task to its end; what became of it in words, and its answer."""
    begun = time.perf_counter()
    status, data = call(mesh, path, body)
    if status != 200:
        return f"refused with {status}: {data[-200:]!r}", {}
    task = json.loads(data)["response"]["taskId"]
    while True:
        status, data = call(mesh, f"/result/{task}", None)
        answer = json.loads(data)
        verdict = answer["errorCode"]
        if not verdict["status"].endswith(("_001", "_002")):
            took = time.perf_counter() - begun
            return f"{verdict['status']} in {took:.1f} s, {len(data) >> 20} MiB, {verdict['reason'][:150]}", answer
        time.sleep(0.1)


class Silence:
    """A receiver that takes connections and never answers."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.held: "list[socket.socket]" = []
        threading.Thread(target=self.take, daemon=True).start()

    def take(self) -> None:
        """Holds whoever comes."""
        while True:
            try:
                self.held.append(self.server.accept()[0])
            except OSError:
                return


def fan_out(mesh: Mesh) -> str:
    """10,000 items of 20 ms in one task, 4 at a time: the handlers' service is the limit, as it is with a GPU."""
    return task_end(mesh, "/giants/call", {"method": "fan", "payload": {"n": 10_000}})[0]


def trivial_fan_out(mesh: Mesh) -> str:
    """10,000 items that cost nothing in one task: the mesh and its servers are the limit."""
    return task_end(mesh, "/bench/call", {"method": "fan-out", "payload": {"n": 10_000}})[0]


def outputs(mesh: Mesh) -> str:
    """50 MB as media, which are then fetched, 50 MB as a result, and the most that is taken as a result."""
    size = 50_000_000
    end, answer = task_end(mesh, "/giants/call", {"method": "media", "payload": {"bytes": size, "media": True}})
    said = [f"{size} bytes of media: {end}"]
    if url := answer.get("response", {}).get("data", {}).get("url"):
        begun = time.perf_counter()
        got = 0
        with urllib.request.urlopen(url, timeout=120) as media:
            while part := media.read(1 << 20):
                got += len(part)
        said.append(f"{got} bytes fetched in {time.perf_counter() - begun:.1f} s")
    for size in (50_000_000, 15_000_000):
        end, _ = task_end(mesh, "/giants/call", {"method": "big", "payload": {"bytes": size}})
        said.append(f"{size} bytes: {end}")
    return "; ".join(said)


def listeners(mesh: Mesh) -> str:
    """1,000 event streams of 1,000 jobs that run."""
    jobs = [{"task_type": "hold", "input": {"n": n}} for n in range(1000)]
    status, data = call(mesh, "/api/v1/jobs/batch", {"defaults": {"owner_service": "giants"}, "jobs": jobs}, port=1)
    made = json.loads(data)["jobs"]
    claimed = 0
    while claimed < 1000:
        status, data = call(mesh, "/api/v1/jobs/claim", {"worker_id": "w", "task_types": ["hold"], "limit": 100,
                                                         "lease_seconds": 600}, port=1)
        got = len(json.loads(data).get("jobs", [])) if status == 200 else 0
        if not got:
            print(f"  (claims stopped at {claimed}: {status} {data[:200]!r})")
            break
        claimed += got
    held = []
    for job in made:
        one = socket.create_connection(("127.0.0.1", mesh.port + 1))
        one.sendall(f"GET /api/v1/jobs/{job['id']}/events HTTP/1.1\r\nhost: mesh\r\nauthorization: Bearer overload-token"
                    "\r\n\r\n".encode())
        held.append(one)
    time.sleep(10)
    told = 0
    for one in held:
        one.setblocking(False)
        try:
            told += b"event: state" in one.recv(1 << 16)
        except OSError:
            pass
        one.close()
    return f"{len(held)} streams for 10 s, {told} began, of {claimed} running jobs"


def silent_receiver(mesh: Mesh) -> str:
    """500 tasks whose callbacks go where nobody answers."""
    silence = Silence()
    url = f"http://127.0.0.1:{silence.server.getsockname()[1]}/cb"
    for _ in range(500):
        call(mesh, "/bench/call", {"method": "bench-3", "payload": {}, "callbackUrl": url})
    time.sleep(5)
    count = len(silence.held)
    silence.server.close()
    for one in silence.held:
        one.close()
    return f"500 tasks, {count} connections held"


GIANTS = {
    "a fan-out of 10,000": fan_out, "10,000 trivial items": trivial_fan_out, "large outputs": outputs,
    "1,000 event streams": listeners, "a receiver that never answers": silent_receiver,
}


def run(mesh: Mesh, load: Load, rate: float, names: "list[str] | None" = None) -> "list[str]":
    """Each giant beside a normal load; returns what did not hold, in words."""
    broken = []
    for name, giant in GIANTS.items():
        if names and not any(part in name for part in names):
            continue
        before = load.steady(f"before {name}", rate, 8)
        load.drain(30)
        # A process of its own, for what a giant computes must not hold up the load's only thread.
        said = FORK.SimpleQueue()
        process = FORK.Process(target=lambda: said.put(giant(mesh)), daemon=True)
        sizes = mesh.memory()
        process.start()
        started = time.perf_counter()
        parts = []
        peak = dict(sizes)
        while process.is_alive() and time.perf_counter() < started + 180:
            parts.append(load.steady(f"beside {name}", rate, 1))
            for role, size in mesh.memory().items():
                peak[role] = max(peak[role], size)
        load.drain(60)
        took = [end[1] for one in parts for end in one.ends]
        codes = sum((one.codes for one in parts), start=collections.Counter())
        base = [end[1] for end in before.ends]
        ratios = [quantile(took, share) / quantile(base, share) for share in (0.5, 0.99)]
        print(f"{name}: {'did not end' if said.empty() else said.get()}")
        print(f"  others' tasks: p50 {quantile(base, .5):.0f} -> {quantile(took, .5):.0f} ms (x{ratios[0]:.1f}), "
              f"p99 {quantile(base, .99):.0f} -> {quantile(took, .99):.0f} ms (x{ratios[1]:.1f}), answers {dict(codes)}")
        print("  their p99 by second: " + " ".join(f"{quantile([end[1] for end in one.ends], .99):.0f}" for one in parts))
        print("  RSS MiB: " + ", ".join(f"{role} {sizes[role] >> 10} -> {peak[role] >> 10}" for role in sizes), flush=True)
        if ratios[1] > 2 or set(codes) != {200}:
            broken.append(f"{name}: others' p99 became {ratios[1]:.1f} times as long")
    return broken
