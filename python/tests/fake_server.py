# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The worker's side of PROTOCOL.md, small enough to read, with the faults that a test asks for."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, Optional
from urllib.parse import parse_qs, urlsplit

KEY = "the-raw-key"


class FakeServer:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.jobs: "deque[Dict[str, Any]]" = deque()
        self.results: Dict[str, List[Dict[str, Any]]] = {}
        self.progress: List[Any] = []
        self.chunks: Dict[str, List[Any]] = {}
        self.stops: List[str] = []
        self.media: Dict[str, bytes] = {}
        self.requests: Dict[str, int] = {}
        self.batches: List[int] = []
        self.pings: List[str] = []
        self.keys = set()
        self.leaving = False
        #: Called with (kind, body); True breaks the connection, an int is answered as a status.
        self.fault: Optional[Callable[[str, bytes], Any]] = None
        #: Goes into every answer of an exchange.
        self.extra: Dict[str, Any] = {}
        self.hold = 20.0
        server = self

        class Handler(_Handler):
            mesh = server

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.base = "http://127.0.0.1:{}".format(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def environment(self, exchange: bool) -> Dict[str, str]:
        url = self.base + "/v2/ep"
        found = {
            "RUNPOD_WEBHOOK_GET_JOB": url + "/job-take/$ID?gpu=X",
            "RUNPOD_WEBHOOK_POST_OUTPUT": url + "/job-done/$RUNPOD_POD_ID/$ID?gpu=X",
            "RUNPOD_WEBHOOK_POST_STREAM": url + "/job-stream/$RUNPOD_POD_ID/$ID?gpu=X",
            "RUNPOD_WEBHOOK_PING": url + "/ping/$RUNPOD_POD_ID?gpu=X",
            "RUNPOD_PING_INTERVAL": "1000",
            "RUNPOD_AI_API_KEY": KEY,
            "RUNPOD_POD_ID": "pod-1",
            "MALLA_MEDIA_URL": self.base + "/media",
        }
        if exchange:
            found["MALLA_EXCHANGE_URL"] = url + "/exchange/$RUNPOD_POD_ID"
        return found

    def put(self, *jobs: Dict[str, Any]) -> None:
        with self.changed:
            self.jobs.extend(jobs)
            self.changed.notify_all()

    def stop(self, *names: str) -> None:
        with self.changed:
            self.stops.extend(names)
            self.changed.notify_all()

    def wait(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError("not within {} s; results: {}".format(seconds, str(self.results)[:1000]))
            return condition()

    def result(self, name: str) -> Dict[str, Any]:
        return self.wait(lambda: self.results.get(name))[0]

    def take(self, slots: int, seconds: float, client: socket.socket) -> List[Dict[str, Any]]:
        """Up to `slots` jobs. A client that hangs up while it waits gets none: its job would be lost."""
        began = time.monotonic()
        end = began + seconds
        with self.changed:
            while not self.jobs and not self.leaving and not _has_hung_up(client):
                if time.monotonic() >= min(end, began + self.hold):
                    break
                self.changed.wait(0.02)
            if self.leaving or _has_hung_up(client):
                return []
            return [self.jobs.popleft() for _ in range(min(slots, len(self.jobs)))]


def _has_hung_up(client: socket.socket) -> bool:
    if not select.select([client], [], [], 0)[0]:
        return False
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    mesh: FakeServer

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, value: Any = None, body: Optional[bytes] = None) -> None:
        if body is None:
            body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status == 429:
            self.send_header("Retry-After", "0.2")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self) -> None:
        self.respond(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while True:
                size = int(self.rfile.readline(), 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    break
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.respond(body)

    def respond(self, body: bytes) -> None:
        mesh = self.mesh
        parts = urlsplit(self.path)
        path = parts.path.strip("/").split("/")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        kind = path[0] if path[0] == "media" else path[2]
        with mesh.changed:
            mesh.requests[kind] = mesh.requests.get(kind, 0) + 1
            mesh.keys.add(self.headers.get("Authorization"))
            mesh.changed.notify_all()
        fault = mesh.fault(kind, body) if mesh.fault else None
        if fault is True:
            self.close_connection = True
            self.connection.close()
            return
        if isinstance(fault, int) and fault:
            return self.answer(fault, {"error": "as asked"})
        getattr(self, "on_" + kind.replace("-", "_"))(path, query, body)

    def on_exchange(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        mesh = self.mesh
        given = json.loads(body)
        with mesh.changed:
            for item in given.get("progress", []):
                mesh.progress.append(item)
            for item in given.get("done", []):
                mesh.results.setdefault(item["id"], []).append(item)
            if given.get("leaving"):
                mesh.leaving = True
            mesh.changed.notify_all()
        taken = []
        slots = int(query["max"])
        if slots:
            taken = mesh.take(slots, min(mesh.hold, int(query["wait_ms"]) / 1000), self.connection)
            if taken:
                mesh.batches.append(len(taken))
        self.answer(200, dict({"jobs": taken, "stop": []}, **mesh.extra))

    def on_job_take(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        taken = self.mesh.take(1, self.mesh.hold, self.connection)
        self.answer(200, taken[0]) if taken else self.answer(204)

    def on_job_take_batch(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        taken = self.mesh.take(int(query["batch_size"]), self.mesh.hold, self.connection)
        if taken:
            self.mesh.batches.append(len(taken))
        self.answer(200, taken) if taken else self.answer(204)

    def on_job_done(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        item = json.loads(body)
        with self.mesh.changed:
            if item.get("status") == "IN_PROGRESS":
                self.mesh.progress.append(dict(item, id=path[4]))
            else:
                self.mesh.results.setdefault(path[4], []).append(dict(item, isStream=query["isStream"]))
            self.mesh.changed.notify_all()
        self.answer(200, {})

    def on_job_stream(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        with self.mesh.changed:
            self.mesh.chunks.setdefault(path[4], []).append(json.loads(body)["output"])
            self.mesh.changed.notify_all()
        self.answer(200, {})

    def on_job_stop(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        mesh = self.mesh
        with mesh.changed:
            mesh.changed.wait_for(lambda: mesh.stops, 5)
            found, mesh.stops = mesh.stops, []
        self.answer(200, {"jobsToStop": found}) if found else self.answer(204)

    def on_ping(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        with self.mesh.changed:
            self.mesh.pings.append(query.get("job_id", ""))
            self.mesh.changed.notify_all()
        self.answer(200, {})

    def on_media(self, path: List[str], query: Dict[str, str], body: bytes) -> None:
        mesh = self.mesh
        if self.command == "POST":
            ref = "s3://media/derived/" + query.get("name", "unnamed")
            mesh.media[ref] = body
            mesh.media[ref + "#type"] = self.headers.get("Content-Type", "").encode()
            mesh.media[ref + "#origin"] = query.get("origin", "").encode()
            return self.answer(200, {"ref": ref, "sha256": "", "size": len(body)})
        content = mesh.media.get(query["ref"])
        if content is None:
            return self.answer(404, {"error": "there is no media " + query["ref"]})
        self.answer(200, body=content)
